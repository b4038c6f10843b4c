import createDebug from 'debug'
import { exitNow } from '../libc/process.js'
import type { Given } from './arguments/command.js'
import { mountOptions } from './arguments/mount-options.js'
import { warn } from './display/report.js'
import type { mount } from './table/mount.js'

export async function run({ values, operands }: Given<typeof mount>): Promise<number> {
  const [image = '', mountpoint = ''] = operands
  const options = mountOptions(image, mountpoint, values)
  // Puts it into the environment too, where the workers find it.
  if (options.debug) createDebug.enable('rawmount:*')
  if (!options.foreground) {
    const { launchDaemon } = await import('../mount/daemon/launch.js')
    const { warnings } = await launchDaemon(options)
    for (const warning of warnings) warn(warning)
    return 0
  }
  const { startMount } = await import('../mount/daemon/daemon.js')
  const { StopSignals } = await import('../mount/daemon/signals.js')
  const { dieOfUncaughtErrors } = await import('../mount/daemon/last-resort.js')
  const report = (line: string): void => {
    process.stderr.write(`rawmount: ${line}\n`)
  }
  const signals = new StopSignals()
  const mounted = await startMount(options, report, () => signals.take())
  for (const warning of mounted.warnings) warn(warning)
  dieOfUncaughtErrors(report)
  signals.handTo(mounted)
  return exitNow(await mounted.finished)
}
