import { type ChildProcess, spawn } from 'node:child_process'
import type { FoldersStatus, MountStatus } from '../status/status.js'

/** What a mount answered, or why it could not: the message and errno of an ImageError. */
export type Reply =
  | { readonly status: MountStatus | FoldersStatus }
  | { readonly failure: { readonly message: string; readonly errno: number } }

/** Milliseconds that a process has to start. */
const START = 30_000

/**
 * Asks mounts for their status, one at a time, and takes silence for an answer. A process that waits for a hanging mount
 * cannot be ended, at times not even with SIGKILL: so another process asks, and when it hangs it is left alone and a new one
 * asks the next.
 */
export class Asker {
  private child: ChildProcess | null = null

  /** Null when no answer comes within `patience` milliseconds. */
  async ask(path: string, patience: number): Promise<Reply | null> {
    if (!this.child?.connected) {
      this.close()
      this.child = start()
      if ((await this.hear(START)) === null) return null
    }
    this.child.send(path)
    return (await this.hear(patience)) as Reply | null
  }

  close(): void {
    if (this.child === null) return
    this.child.removeAllListeners()
    // Of one that ended.
    this.child.on('error', () => {})
    this.child.kill('SIGKILL')
    if (this.child.connected) this.child.disconnect()
    this.child = null
  }

  /** The next message; null, and the process is left, when it ends or says nothing in time. */
  private hear(patience: number): Promise<unknown> {
    const child = this.child!
    return new Promise((resolve, reject) => {
      const finish = (message: unknown): void => {
        clearTimeout(timer)
        child.removeAllListeners()
        if (message === null) this.close()
        resolve(message)
      }
      const timer = setTimeout(() => finish(null), patience)
      child.once('message', finish)
      child.once('exit', () => finish(null))
      child.once('error', error => {
        clearTimeout(timer)
        reject(error)
      })
    })
  }
}

function start(): ChildProcess {
  const program = new URL('./asker-main.js', import.meta.url).pathname
  const child = spawn(process.execPath, [program], {
    cwd: '/',
    // A Ctrl-C is for who waits, not for what hangs.
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  // It ends with this process, which need not end it.
  child.unref()
  child.channel?.unref()
  return child
}
