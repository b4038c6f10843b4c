import type { WriteStream } from 'node:tty'

/** Erases from the cursor to the end of the line, and of the screen. */
const REST_OF_LINE = '\x1b[K'
const REST_OF_SCREEN = '\x1b[J'

/** Lines on a terminal that are drawn again in place. The cursor stays at the end of the last one. */
export class LiveLines {
  private height = 0

  constructor(private readonly terminal: WriteStream) {}

  /** 80 where the terminal does not know. */
  get columns(): number {
    return this.terminal.columns || 80
  }

  /** Longer lines are cut, as one that goes over two would spoil the count of lines; so are lines too many. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, Math.max(1, (this.terminal.rows || 24) - 1))
    const text = shown.map(line => line.slice(0, this.columns - 1) + REST_OF_LINE).join('\n')
    // In one piece, so that nobody sees half of it.
    this.terminal.write(`${this.home()}${text}${REST_OF_SCREEN}`)
    this.height = shown.length
  }

  /** Takes the lines away: what is written next stands in their place. */
  clear(): void {
    if (this.height > 0) this.terminal.write(`${this.home()}${REST_OF_SCREEN}`)
    this.height = 0
  }

  /** Leaves the lines, and goes below them. */
  leave(): void {
    if (this.height > 0) this.terminal.write('\n')
    this.height = 0
  }

  private home(): string {
    return this.height > 1 ? `\r\x1b[${this.height - 1}A` : '\r'
  }
}
