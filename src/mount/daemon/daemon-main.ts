import { ImageError } from '../../errors.js'
import { exitNow } from '../../libc/process.js'
import type { MountOptions } from '../options.js'
import { startMount } from './daemon.js'
import { dieOfUncaughtErrors } from './last-resort.js'
import type { LaunchReply } from './launch.js'
import { StopSignals } from './signals.js'

/** The daemon's program: takes its options from who launched it, answers once, and serves until it is unmounted. */
process.once('message', async options => {
  try {
    const signals = new StopSignals()
    const mount = await startMount(
      options as MountOptions,
      () => {},
      () => signals.take(),
    )
    dieOfUncaughtErrors(() => {})
    signals.handTo(mount)
    // Should the launcher be gone already, the mount is there all the same.
    process.send?.({ mounted: true, warnings: mount.warnings } satisfies LaunchReply, () =>
      process.channel?.unref(),
    )
    exitNow(await mount.finished)
  } catch (error) {
    const { code, message, errno } =
      error instanceof ImageError
        ? error
        : new ImageError('MOUNT', `the daemon failed: ${(error as Error).message}`)
    process.send?.({ mounted: false, code, message, errno } satisfies LaunchReply)
    process.exitCode = 1
    process.disconnect?.()
  }
})
