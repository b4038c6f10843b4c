import { ImageError } from '../../errors.js'
import { exitNow } from '../../libc/process.js'
import { logTo, tell } from '../../trace.js'
import type { MountOptions } from '../options.js'
import { startMount } from './daemon.js'
import { dieOfUncaughtErrors } from './last-resort.js'
import type { LaunchReply } from './launch.js'
import { keepLog } from './log-file.js'
import { Pidfile, publish } from './pidfile.js'
import { StopSignals } from './signals.js'
import { onStatusSignal } from './status-signal.js'
import { forgetHelper } from './utab.js'

/** The daemon: takes its options from who launched it, answers once, and serves until it is unmounted. */
process.once('message', async message => {
  const options = message as MountOptions
  // Who launched this made it stderr.
  if (options.logFile !== null) logTo(2)
  let pidfile: Pidfile | null = null
  try {
    const signals = new StopSignals()
    if (options.pidfile !== null) pidfile = Pidfile.prepare(options.pidfile)
    const mount = await startMount(options, tell, () => signals.take())
    dieOfUncaughtErrors(tell)
    signals.handTo(mount)
    keepLog(options, mount)
    onStatusSignal(() => mount.status().forEach(tell))
    await publish(pidfile, mount)
    // Should the launcher be gone already, the mount is there all the same.
    process.send?.({ mounted: true, warnings: mount.warnings } satisfies LaunchReply, () =>
      process.channel?.unref(),
    )
    const code = await mount.finished
    forgetHelper(mount.mountpoint)
    pidfile?.remove()
    exitNow(code)
  } catch (error) {
    pidfile?.remove()
    const { code, message, errno } =
      error instanceof ImageError
        ? error
        : new ImageError('MOUNT', `the daemon failed: ${(error as Error).message}`)
    tell(`not mounted: ${message}`)
    // libfuse may have left something that would keep the process.
    process.send?.({ mounted: false, code, message, errno } satisfies LaunchReply, () => exitNow(1))
  }
})
