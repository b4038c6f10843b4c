import type { RunningMount } from './daemon.js'

/** SIGTERM, SIGINT and SIGHUP unmount. */
export function stopOnSignals(mount: RunningMount): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => mount.stop())
}
