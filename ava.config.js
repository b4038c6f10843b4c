// Seconds for which each random campaign of `npm run test:long` searches.
const campaign = Number(process.env.RAWMOUNT_TEST_SECONDS ?? 0)

export default {
  files: ['dist/test/**/*.test.js'],
  // A worker thread that touches a mount served by its own process would hang: test files are processes.
  workerThreads: false,
  // Without a single finished test for this long, something hangs.
  timeout: `${180 + 10 * campaign}s`,
}
