import type { RunningMount } from './daemon.js'

/** SIGTERM, SIGINT and SIGHUP unmount. */
export class StopSignals {
  private mount: Pick<RunningMount, 'stop'> | null = null
  private early = 0

  /** Before the mount can be seen: who sees it may end it, though it is not handed over yet. */
  take(): void {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (this.mount === null) this.early++
        else this.mount.stop()
      })
    }
  }

  handTo(mount: Pick<RunningMount, 'stop'>): void {
    this.mount = mount
    for (; this.early > 0; this.early--) mount.stop()
  }
}
