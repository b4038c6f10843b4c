import { createConnection, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** The part of QEMU's monitor protocol that starts a job and asks how it is. One command at a time. */
export class Monitor {
  private constructor(
    private readonly socket: Socket,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async connect(path: string): Promise<Monitor> {
    const socket = createConnection(path)
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
    const monitor = new Monitor(socket, lines)
    // The greeting.
    await monitor.line()
    await monitor.execute('qmp_capabilities')
    return monitor
  }

  /** Throws what QEMU says when it refuses. */
  async execute(command: string, args: object = {}): Promise<unknown> {
    this.socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
    for (;;) {
      const answer = JSON.parse(await this.line()) as { return?: unknown; error?: { desc: string } }
      if (answer.error !== undefined) throw new Error(`${command}: ${answer.error.desc}`)
      // Events come in between.
      if (answer.return !== undefined) return answer.return
    }
  }

  close(): void {
    this.socket.destroy()
  }

  private async line(): Promise<string> {
    const { done, value } = await this.lines.next()
    if (done) throw new Error('QEMU closed its monitor')
    return value
  }
}
