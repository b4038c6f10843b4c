/**
 * Threads that take turns: of all threads of a run exactly one goes on at any time, and at each *point* the schedule
 * says which one that is. So a run is repeated exactly by its schedule, and another schedule is another interleaving.
 *
 * There is no controller in between. Whoever is at a point draws the next choice itself, from shared memory, and goes on
 * without a hand-over when it is its own turn again, which makes a point cheap enough to put one before every access
 * to shared memory.
 *
 * A thread that waits for a word is out of the draw until it is woken, as with the real futex: a change of the word
 * alone wakes nobody, so a wake-up that is forgotten shows as a deadlock. Waits with a short limit end when nobody else can
 * go on, the shortest first: time passes only when there is nothing to do.
 *
 * A choice is a number among the threads that can go on, the one at the point first and then by number: 0 is always "no
 * switch" where that is possible. Choices come from a script, then, when it is used up, are 0 or drawn from a seed.
 */
export const Level = {
  /** Calls of storage, taking of locks, waits. */
  coarse: 0,
  /** Every access to shared memory besides. */
  fine: 1,
} as const
export type Level = (typeof Level)[keyof typeof Level]

export const Outcome = { running: 0, done: 1, deadlock: 2, endless: 3, failed: 4 } as const
export type Outcome = (typeof Outcome)[keyof typeof Outcome]

const MAX_THREADS = 8
const MAX_STEPS = 100_000
const MAX_CHOICES = 20_000
/** Numbers per thread in `waits`, and per step in `trace`. */
const WAIT_NUMBERS = 3
const STEP_NUMBERS = 4

const Word = {
  /** What the main thread waits for. */
  outcome: 0,
  threads: 1,
  level: 2,
  /** Of 2^16: how often a drawn choice is a switch. */
  switchChance: 3,
  random: 4,
  clock: 5,
  steps: 6,
  choices: 7,
  script: 8,
  /** Ticks at which waits began: the first to come is the first to be woken. */
  arrivals: 9,
  /** Points at which the same thread has stayed, one after the other. */
  stays: 10,
  /** Per thread: the word that it sleeps on, 1 = its turn; and its state. */
  turn: 16,
  state: 16 + MAX_THREADS,
  length: 16 + 2 * MAX_THREADS,
} as const

const State = { absent: 0, ready: 1, waiting: 2, timedOut: 3, done: 4 } as const

/** A thread that goes round and round until another one has done its part gives way after so many points. */
const PATIENCE = 2000

/** A wait with this limit or a longer one is for a lock, and never ends by itself. */
const LONG_WAIT = 60_000

export interface TurnsMemory {
  readonly words: SharedArrayBuffer
  readonly choices: SharedArrayBuffer
  readonly waits: SharedArrayBuffer
  readonly trace: SharedArrayBuffer
}

export interface Schedule {
  readonly level: Level
  /** Choices to begin with. */
  readonly script: readonly number[]
  /** After the script: draws with this seed switch with this probability; null = never switch. */
  readonly draws: { readonly seed: number; readonly switchChance: number } | null
}

/** One point at which more than one thread could go on. */
export interface Choice {
  readonly taken: number
  readonly among: number
  /** The thread at the point could have gone on: another one is a preemption. */
  readonly canStay: boolean
}

export interface Step {
  readonly thread: number
  readonly what: string
}

export class Turns {
  private readonly words: Int32Array
  private readonly choices: Uint8Array
  /** Per thread: address that it waits for, time at which it gives up, arrival. */
  private readonly waits: Float64Array
  private readonly trace: Float64Array
  private readonly eligible: number[] = []
  private kinds: string[] = []

  static allocate(): TurnsMemory {
    return {
      words: new SharedArrayBuffer(Word.length * 4),
      choices: new SharedArrayBuffer(MAX_CHOICES * 3),
      waits: new SharedArrayBuffer(MAX_THREADS * WAIT_NUMBERS * 8),
      trace: new SharedArrayBuffer(MAX_STEPS * STEP_NUMBERS * 8),
    }
  }

  /** `me`: the number of the thread; -1 for the one that looks on. */
  constructor(
    memory: TurnsMemory,
    private readonly me: number,
  ) {
    this.words = new Int32Array(memory.words)
    this.choices = new Uint8Array(memory.choices)
    this.waits = new Float64Array(memory.waits)
    this.trace = new Float64Array(memory.trace)
    this.kinds = KINDS
  }

  // ---- the one that looks on -------------------------------------------------------------------------------------

  /** Runs `threads` threads, which are all in awaitStart(), to their ends; false when that takes too long. */
  run(threads: number, schedule: Schedule, milliseconds: number): boolean {
    const { words, choices } = this
    for (const index of [Word.outcome, Word.clock, Word.steps, Word.choices, Word.arrivals, Word.stays])
      words[index] = 0
    words[Word.threads] = threads
    words[Word.level] = schedule.level
    words[Word.script] = schedule.script.length
    schedule.script.forEach((choice, n) => {
      choices[n * 3] = choice
    })
    words[Word.random] = schedule.draws?.seed ?? 0
    words[Word.switchChance] = schedule.draws === null ? -1 : Math.round(schedule.draws.switchChance * 65536)
    for (let n = 0; n < threads; n++) {
      words[Word.turn + n] = 0
      words[Word.state + n] = State.ready
    }
    this.passOn()
    // The wake-up of the run before may come late.
    const deadline = Date.now() + milliseconds
    while (this.outcome === Outcome.running) {
      const left = deadline - Date.now()
      if (left <= 0) return false
      Atomics.wait(words, Word.outcome, Outcome.running, left)
    }
    return true
  }

  get outcome(): Outcome {
    return Atomics.load(this.words, Word.outcome) as Outcome
  }

  get made(): Choice[] {
    const { choices } = this
    return Array.from({ length: this.words[Word.choices]! }, (_, n) => ({
      taken: choices[n * 3]!,
      among: choices[n * 3 + 1]!,
      canStay: choices[n * 3 + 2] === 1,
    }))
  }

  /** What happened, a line for each point; the last `most` of them. */
  story(names: readonly string[], most: number): string {
    const count = this.words[Word.steps]!
    const lines: string[] = []
    for (let n = Math.max(0, count - most); n < count; n++) {
      const [thread, kind, a, b] = this.trace.subarray(n * STEP_NUMBERS, (n + 1) * STEP_NUMBERS)
      lines.push(`  ${names[thread!]}: ${this.kinds[kind!]} ${a}${b === -1 ? '' : `+${b}`}`)
    }
    return lines.join('\n')
  }

  // ---- a thread of the run ---------------------------------------------------------------------------------------

  /** Sleeps until a run begins and it is this thread's turn for the first time. */
  awaitStart(): void {
    this.sleep()
  }

  /** The thread's part of the run is over; with `failed` the run is. */
  finish(failed: boolean): void {
    this.words[Word.state + this.me] = State.done
    if (failed) this.end(Outcome.failed)
    else this.passOn()
  }

  /** A number that goes up with each call, by all threads: which of two events came first. */
  tick(): number {
    return Atomics.add(this.words, Word.clock, 1)
  }

  /** Before something that other threads can see, or that shows what they did. */
  point(level: Level, kind: Kind, a = 0, b = -1): void {
    const { words, me } = this
    if (level > words[Word.level]!) return
    this.note(kind, a, b)
    const next = this.choose()
    if (next !== me) {
      this.hand(next)
      this.sleep()
    }
  }

  /** Sleeps as if it were `word` that it sleeps on; false when its limit passed. */
  wait(address: number, milliseconds: number): boolean {
    const { words, waits, me } = this
    this.note(Kind.wait, address, -1)
    waits[me * WAIT_NUMBERS] = address
    waits[me * WAIT_NUMBERS + 1] = milliseconds >= LONG_WAIT ? Number.POSITIVE_INFINITY : milliseconds
    waits[me * WAIT_NUMBERS + 2] = words[Word.arrivals]!++
    words[Word.state + me] = State.waiting
    this.passOn()
    this.sleep()
    const inTime = words[Word.state + me] !== State.timedOut
    words[Word.state + me] = State.ready
    return inTime
  }

  wake(address: number, count: number): void {
    const { words, waits } = this
    for (let left = count; left > 0; left--) {
      let first = -1
      for (let n = 0; n < words[Word.threads]!; n++) {
        if (words[Word.state + n] !== State.waiting || waits[n * WAIT_NUMBERS] !== address) continue
        if (first < 0 || waits[n * WAIT_NUMBERS + 2]! < waits[first * WAIT_NUMBERS + 2]!) first = n
      }
      if (first < 0) return
      words[Word.state + first] = State.ready
    }
  }

  private note(kind: Kind, a: number, b: number): void {
    const { words, trace, me } = this
    const step = words[Word.steps]!++
    if (step >= MAX_STEPS) {
      this.end(Outcome.endless)
      this.sleep()
    }
    trace[step * STEP_NUMBERS] = me
    trace[step * STEP_NUMBERS + 1] = kind
    trace[step * STEP_NUMBERS + 2] = a
    trace[step * STEP_NUMBERS + 3] = b
  }

  /** Whose turn is next; -1 when nobody can go on. */
  private choose(): number {
    const { words, choices, eligible, me } = this
    eligible.length = 0
    const canStay = me >= 0 && words[Word.state + me] === State.ready
    if (canStay) eligible.push(me)
    for (let n = 0; n < words[Word.threads]!; n++) {
      if (n !== me && words[Word.state + n] === State.ready) eligible.push(n)
    }
    if (eligible.length === 0) return this.letTimePass()
    if (eligible.length === 1) return eligible[0]!
    const made = words[Word.choices]!++
    if (made >= MAX_CHOICES) return eligible[0]!
    const isStuck = canStay && words[Word.stays]! > PATIENCE
    const taken =
      made < words[Word.script]! ? choices[made * 3]! : isStuck ? 1 : this.draw(eligible.length, canStay)
    words[Word.stays] = canStay && taken === 0 ? words[Word.stays]! + 1 : 0
    choices[made * 3] = taken
    choices[made * 3 + 1] = eligible.length
    choices[made * 3 + 2] = canStay ? 1 : 0
    return eligible[Math.min(taken, eligible.length - 1)]!
  }

  private draw(among: number, canStay: boolean): number {
    const chance = this.words[Word.switchChance]!
    if (chance < 0) return 0
    if (!canStay) return this.random() % among
    return (this.random() & 0xffff) < chance ? 1 + (this.random() % (among - 1)) : 0
  }

  private random(): number {
    const { words } = this
    words[Word.random] = (words[Word.random]! + 0x6d2b79f5) | 0
    let mixed = Math.imul(words[Word.random]! ^ (words[Word.random]! >>> 15), words[Word.random]! | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  private letTimePass(): number {
    const { words, waits } = this
    let first = -1
    for (let n = 0; n < words[Word.threads]!; n++) {
      if (words[Word.state + n] !== State.waiting || !Number.isFinite(waits[n * WAIT_NUMBERS + 1]!)) continue
      if (first < 0 || waits[n * WAIT_NUMBERS + 1]! < waits[first * WAIT_NUMBERS + 1]!) first = n
    }
    if (first >= 0) words[Word.state + first] = State.timedOut
    return first
  }

  /** Another thread's turn: this one waits, is done, or never had one. */
  private passOn(): void {
    const { words } = this
    const next = this.choose()
    if (next >= 0) {
      this.hand(next)
      return
    }
    for (let n = 0; n < words[Word.threads]!; n++) {
      if (words[Word.state + n] !== State.done) {
        this.end(Outcome.deadlock)
        return
      }
    }
    this.end(Outcome.done)
  }

  private hand(next: number): void {
    Atomics.store(this.words, Word.turn + next, 1)
    Atomics.notify(this.words, Word.turn + next)
  }

  private sleep(): void {
    const { words, me } = this
    while (Atomics.compareExchange(words, Word.turn + me, 1, 0) !== 1) Atomics.wait(words, Word.turn + me, 0)
  }

  private end(outcome: Outcome): void {
    Atomics.store(this.words, Word.outcome, outcome)
    Atomics.notify(this.words, Word.outcome)
  }
}

export const Kind = {
  begin: 0,
  wait: 1,
  lock: 2,
  memory: 3,
  read: 4,
  write: 5,
  sync: 6,
  zero: 7,
  truncate: 8,
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

const KINDS = Object.keys(Kind)

/** Of this thread, while it takes part in a run; shared memory and storage ask it for leave. */
let current: Turns | null = null

export function turns(): Turns | null {
  return current
}

export function takeTurns(of: Turns | null): void {
  current = of
}
