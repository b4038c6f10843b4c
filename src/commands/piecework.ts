import { setImmediate as turn } from 'node:timers/promises'
import { LiveLines } from './display/live-lines.js'
import { setUnfinished } from './display/output.js'
import { progressLine } from './display/progress-bar.js'
import { Pace, secondsLeft } from './display/progress-pace.js'
import { type Interruption, Interrupts } from './interruption.js'

/** Synchronous work on images that is done in pieces, so that the user can see how it goes, and end it. */
export interface Piecework {
  /** Bytes; `total` is 0 while they are counted. */
  readonly total: number
  readonly done: number
  copy(): Generator<void>
  /** Makes what was done take effect; closes all files, also when it throws. */
  finish(): void
  /** Keeps what was done, so that the same work goes on from there; closes all files, also when it throws. */
  stop(): void
}

export interface PieceworkEnd {
  /** What ended it before it was done; null: nothing did. */
  readonly signal: Interruption | null
  readonly seconds: number
}

/** Milliseconds between two looks at how it goes, and between two lines of JSON. */
const LOOK = 100
const LINE = 1000

/**
 * Does the work, or ends it by a signal. A bar on stderr where that is a terminal; or `line`, an object a second, on stdout.
 */
export async function doPiecework(
  work: Piecework,
  { output, quiet }: { readonly output: 'human' | 'json'; readonly quiet: boolean },
  line: (state: 'running', pace: Record<string, unknown>) => Record<string, unknown>,
): Promise<PieceworkEnd> {
  const begun = performance.now()
  const interrupts = new Interrupts()
  let signal: Interruption | null = null
  void interrupts.arrived.then(arrived => {
    signal = arrived
  })
  const bar = output === 'human' && !quiet && process.stderr.isTTY ? new LiveLines(process.stderr) : null
  const pace = new Pace()
  let shown = begun
  const show = (now: number): void => {
    const { done, total } = work
    pace.add(now, done)
    const left = total === 0 ? null : secondsLeft(total - done, pace.rate)
    bar?.draw([
      total === 0
        ? 'looking for what there is to do'
        : progressLine({ done, total, rate: pace.rate, secondsLeft: left }, bar.columns),
    ])
    if (output !== 'json' || now - shown < LINE) return
    shown = now
    const facts = { ...paceOf(work, now - begun), rate: Math.round(pace.rate), secondsLeft: left }
    process.stdout.write(`${JSON.stringify(line('running', facts))}\n`)
  }
  setUnfinished(true)
  try {
    await inPieces(work, show, () => signal !== null)
    if (signal === null) work.finish()
    else work.stop()
    setUnfinished(signal !== null)
    return { signal, seconds: (performance.now() - begun) / 1000 }
  } finally {
    bar?.clear()
    interrupts.stop()
  }
}

async function inPieces(work: Piecework, show: (now: number) => void, isEnded: () => boolean): Promise<void> {
  try {
    const steps = work.copy()
    for (let last = performance.now(); !steps.next().done; ) {
      const now = performance.now()
      if (now - last < LOOK) continue
      show(now)
      // Signals arrive between two turns of the event loop.
      await turn()
      if (isEnded()) return
      last = performance.now()
    }
  } catch (error) {
    try {
      work.stop()
    } catch {
      // After a failure that is no news: a full disk is full for this, too.
    }
    throw error
  }
}

/** For a program's eyes. */
export function paceOf({ done, total }: Piecework, milliseconds: number): Record<string, unknown> {
  return { done, total, seconds: Number((milliseconds / 1000).toFixed(1)) }
}
