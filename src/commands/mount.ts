import { exitNow } from '../libc/process.js'
import { refuseHiddenFiles } from '../mount/daemon/hidden-files.js'
import type { ReadyFd } from '../mount/daemon/ready-fd.js'
import { onStatusSignal } from '../mount/daemon/status-signal.js'
import type { MountOptions } from '../mount/options.js'
import { logTo, tell, traceEverything } from '../trace.js'
import type { Given } from './arguments/command.js'
import { mountOptions } from './arguments/mount-options.js'
import { reportError, warn } from './display/report.js'
import { exitCodeOf, Interrupts } from './interruption.js'
import type { mount } from './table/mount.js'

export async function run({ values, operands }: Given<typeof mount>): Promise<number> {
  const options = mountOptions(operands, values)
  refuseHiddenFiles(options)
  const ready = values.readyFd === null ? null : await takeReadyFd(values.readyFd)
  warnOfOwner(options)
  if (options.debug) traceEverything()
  if (!options.foreground) {
    return launch(options, ready)
  }
  // Threads that hang in a dead base, or that libfuse left, do not hold it up.
  return exitNow(await serve(options, ready).catch(reportedCode))
}

function reportedCode(error: unknown): number {
  reportError(error)
  return 1
}

/** In a process that stays. */
async function launch(options: MountOptions, ready: ReadyFd | null): Promise<number> {
  const { launchDaemon } = await import('../mount/daemon/launch.js')
  const interrupts = new Interrupts()
  const daemon = await launchDaemon(options, interrupts.arrived)
  interrupts.stop()
  if (daemon === null) return exitCodeOf(await interrupts.arrived)
  for (const warning of daemon.warnings) warn(warning)
  orWarn(() => ready?.tell())
  return 0
}

/** The owner of a file in somebody else's private mount does not get there. */
function warnOfOwner({ uid, allowOther }: MountOptions): void {
  if (uid === null || allowOther || uid === process.geteuid!()) return
  warn(`user ${uid} owns the disk, but is not let in: add --allow-other`)
}

async function takeReadyFd(fd: number): Promise<ReadyFd> {
  const { ReadyFd } = await import('../mount/daemon/ready-fd.js')
  return ReadyFd.take(fd)
}

/** In this process, until the mount ends. */
async function serve(options: MountOptions, ready: ReadyFd | null): Promise<number> {
  const { startMount, sourceOf } = await import('../mount/daemon/daemon.js')
  const { StopSignals } = await import('../mount/daemon/signals.js')
  const { Pidfile, publish } = await import('../mount/daemon/pidfile.js')
  const { ServiceManager } = await import('../mount/daemon/service-manager.js')
  const { dieOfUncaughtErrors } = await import('../mount/daemon/last-resort.js')
  const { keepLog, openLog } = await import('../mount/daemon/log-file.js')
  if (options.logFile !== null) logTo(openLog(options.logFile, options))
  const report = (line: string): void => {
    process.stderr.write(`rawmount: ${line}\n`)
    tell(line)
  }
  const what = sourceOf(options)
  const manager = ServiceManager.fromEnvironment()
  const signals = new StopSignals()
  const pidfile = options.pidfile === null ? null : Pidfile.prepare(options.pidfile)
  try {
    const mounted = await startMount(options, report, () => signals.take())
    for (const warning of mounted.warnings) warn(warning)
    dieOfUncaughtErrors(report)
    keepLog(options, mounted)
    onStatusSignal(() => mounted.status().forEach(report))
    await publish(pidfile, mounted)
    signals.handTo({
      stop() {
        orWarn(() => manager?.stopping(`closing ${what}`))
        mounted.stop()
      },
    })
    orWarn(() => ready?.tell())
    orWarn(() => manager?.ready(`${what} on ${mounted.mountpoint}`))
    return await mounted.finished
  } finally {
    pidfile?.remove()
  }
}

/** Whoever cannot be told that the mount is there, it is there. */
function orWarn(tell: () => void): void {
  try {
    tell()
  } catch (error) {
    warn((error as Error).message)
  }
}
