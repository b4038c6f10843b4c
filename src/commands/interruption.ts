import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
export type Interruption = (typeof SIGNALS)[number]

/** Waits for the user to end the command. A second signal ends the process at once, as if nobody had waited. */
export class Interrupts {
  /** Resolves with the first signal. */
  readonly arrived: Promise<Interruption>
  private readonly handlers: [Interruption, () => void][]

  constructor() {
    let arrive: (signal: Interruption) => void = () => {}
    this.arrived = new Promise(resolve => {
      arrive = resolve
    })
    this.handlers = SIGNALS.map(signal => [
      signal,
      () => {
        this.stop()
        arrive(signal)
      },
    ])
    for (const [signal, handler] of this.handlers) process.on(signal, handler)
  }

  stop(): void {
    for (const [signal, handler] of this.handlers) process.off(signal, handler)
  }
}

/** What a shell shows for a program that a signal ended: 130 for Ctrl-C. */
export function exitCodeOf(signal: Interruption): number {
  return 128 + constants.signals[signal]
}
