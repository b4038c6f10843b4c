export default {
  files: ['dist/test/**/*.test.js'],
  // A worker thread that touches a mount served by its own process would hang: test files are processes.
  workerThreads: false,
  timeout: '8m',
}
