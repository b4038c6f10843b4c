/**
 * For an error that nobody caught, in the thread that keeps the mount. An orderly exit would wait for workers that sit in
 * a read of /dev/fuse for as long as the mount lives, while whoever uses it waits for answers. A kill closes their
 * descriptors: the kernel fails every request, locks are gone, and the image is as of its last commit.
 */
export function dieOfUncaughtErrors(report: (line: string) => void): void {
  process.on('uncaughtException', error => {
    report(`this is a bug in rawmount, please report it: ${error.stack ?? error.message}`)
    process.kill(process.pid, 'SIGKILL')
  })
}
