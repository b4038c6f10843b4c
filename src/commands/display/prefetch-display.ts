import type { CopyStatus } from '../../copy/status.js'
import { LiveLines } from './live-lines.js'
import { type Course, doneBytes, forPrograms } from './prefetch-report.js'
import { progressLine } from './progress-bar.js'
import { Pace, secondsLeft } from './progress-pace.js'

/** Milliseconds between two lines of JSON. */
const LINE = 1000

type Ending = Omit<Course, 'image' | 'base' | 'seconds' | 'rate' | 'secondsLeft' | 'copying'> & {
  readonly copying: CopyStatus
}

/**
 * What is seen of `rawmount prefetch` while it runs: a bar on stderr where that is a terminal, or an object of JSON on
 * stdout each second, or nothing.
 */
export class PrefetchDisplay {
  private readonly begun = performance.now()
  private shown = this.begun
  private readonly done = new Pace()
  private readonly read = new Pace()

  constructor(
    private readonly image: string,
    private readonly base: string,
    private readonly bar: LiveLines | null,
    private readonly json: boolean,
  ) {}

  show(copying: CopyStatus): void {
    const now = performance.now()
    // Until it is counted what is there, nothing is known to have been done.
    if (copying.base.remaining !== null) this.done.add(now, doneBytes(copying))
    this.read.add(now, copying.base.read)
    const left = secondsLeft(copying.base.remaining, this.done.rate)
    if (this.bar !== null) this.bar.draw([this.line(copying, left, this.bar.columns)])
    if (!this.json || now - this.shown < LINE) return
    this.shown = now
    const course: Course = {
      ...this.facts(copying),
      state: 'running',
      reason: null,
      rate: this.read.rate,
      secondsLeft: left,
      independent: false,
      isCache: false,
      closed: false,
    }
    process.stdout.write(`${JSON.stringify(forPrograms(course))}\n`)
  }

  /** How it has ended. */
  course(end: Ending): Course {
    const facts = this.facts(end.copying)
    const { remaining, read } = end.copying.base
    return {
      ...facts,
      ...end,
      rate: facts.seconds === 0 ? 0 : read / facts.seconds,
      secondsLeft: end.state === 'done' || remaining === 0 ? 0 : null,
    }
  }

  clear(): void {
    this.bar?.clear()
  }

  private facts(copying: CopyStatus) {
    const { image, base } = this
    return { image, base, copying, seconds: (performance.now() - this.begun) / 1000 }
  }

  private line(copying: CopyStatus, left: number | null, columns: number): string {
    const { remaining, total } = copying.base
    if (remaining === null) return 'looking for what is still in the base'
    return progressLine({ done: doneBytes(copying), total, rate: this.read.rate, secondsLeft: left }, columns)
  }
}

export function displayFor(
  image: string,
  base: string,
  { output, quiet }: { readonly output: 'human' | 'json'; readonly quiet: boolean },
): PrefetchDisplay {
  const bar = output === 'human' && !quiet && process.stderr.isTTY ? new LiveLines(process.stderr) : null
  return new PrefetchDisplay(image, base, bar, output === 'json')
}
