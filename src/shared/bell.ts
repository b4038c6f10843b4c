import * as atomics from './atomics.js'

/** How often it was rung. */
const RUNG = 0
const ENDED = 1
const WORDS = 2

/** Calls a thread that sleeps until there is work for it, or until it is to end. */
export class Bell {
  private readonly words: Int32Array

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory)
  }

  /** Changes with every ring. */
  get rung(): number {
    return atomics.load(this.words, RUNG)
  }

  ring(): void {
    atomics.add(this.words, RUNG, 1)
    atomics.wake(this.words, RUNG, 1)
  }

  /** Sleeps for so many milliseconds, or until it has rung since it was looked at. */
  wait(rung: number, milliseconds: number): void {
    atomics.wait(this.words, RUNG, rung, milliseconds)
  }

  /** Sleeps for so many milliseconds, or until the thread is to end, whatever rings. */
  rest(milliseconds: number): void {
    atomics.wait(this.words, ENDED, 0, milliseconds)
  }

  get isEnded(): boolean {
    return atomics.load(this.words, ENDED) !== 0
  }

  /** The thread that it calls is to end. */
  end(): void {
    atomics.store(this.words, ENDED, 1)
    atomics.wake(this.words, ENDED, 1)
    this.ring()
  }
}
