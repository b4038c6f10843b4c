import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { PrefetchProgress } from '../../../src/copy/prefetch-progress.js'
import { Throttle } from '../../../src/copy/throttle.js'
import type { CopyRequest } from '../../../src/disk/copying.js'
import type { Disk } from '../../../src/disk/disk.js'
import { Extent } from '../../../src/disk/extents.js'
import { openImage } from '../../../src/disk/open.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import { SECTOR } from '../pattern.js'
import { CAPACITY, type SharedStorage } from '../shared-storage.js'
import { type Act, type CopierMemory, content, contentsOf, type Event } from './actor.js'
import type { ThreadOrder, ThreadResult } from './actor-thread.js'
import { explain } from './history.js'
import { type Mutation, patchProgram } from './patched-program.js'
import { type Choice, Level, Outcome, type Schedule, Turns } from './turns.js'

/** The threads of a run by name, and what each does. */
export type Cast = Readonly<Record<string, readonly Act[]>>

export interface Stage {
  readonly storage: SharedStorage
  readonly path: string
  readonly format: string
  /** How many threads a run has at most. */
  readonly threads: number
  /** Where the program is to be broken. */
  readonly mutations?: readonly Mutation[]
  /** How the image is filled from its base. */
  readonly copying: CopyRequest
}

/** What a run must show besides. */
export interface Demands {
  /** No sector of this base may be read twice. */
  readonly readOnce?: string
}

export interface Explored {
  readonly runs: number
  /** Every interleaving was run, within the limit of preemptions. */
  readonly complete: boolean
  /** What went wrong, with the schedule that shows it; null when nothing did. No run follows. */
  readonly failure: string | null
}

/** Where the image is kept as it was when it said that it needs no base. */
const WITNESS = '/witness'

/** Runs between two of which the image is opened as a crash would leave it: opening takes longer than a run. */
const CRASH_EVERY = 4

const RESULT_BYTES = 1 << 18
/** A run takes a millisecond. */
const RUN_LIMIT = 60_000

/**
 * Runs of a few threads on one open image, each under a schedule of its own, and from the same state of memory and files.
 * After each run it must be explained what the threads saw, and, in some, the image must show the same
 * after a flush and a crash.
 */
export class ScheduledRuns {
  private readonly snapshot: readonly (readonly [Uint8Array, Uint8Array])[]
  private events: readonly Event[] = []
  private cast: Cast | null = null
  private runs = 0
  /** A run did not come to its end: its threads never do. */
  private isStuck = false

  private constructor(
    private readonly stage: Stage,
    private readonly initial: readonly number[],
    private readonly disk: Disk,
    copiers: CopierMemory,
    private readonly turns: Turns,
    private readonly workers: readonly Worker[],
    private readonly ports: readonly MessagePort[],
    private readonly results: readonly SharedArrayBuffer[],
  ) {
    const shared = new Set<SharedArrayBuffer>(stage.storage.memory())
    collectShared([disk.describe(), copiers], shared)
    stage.storage.forgetReads()
    this.snapshot = [...shared].map(memory => [new Uint8Array(memory), new Uint8Array(memory).slice()])
  }

  static async open(stage: Stage): Promise<ScheduledRuns> {
    const directory = mkdtempSync(join(tmpdir(), 'rawmount-runs-'))
    const workers: Worker[] = []
    try {
      const { storage, path, format } = stage
      const before = openImage(path, { host: storage, format })
      const initial = contentsOfDisk(before.disk)
      before.close()
      const { disk } = openImage(path, { host: storage, format, writable: true, copying: stage.copying })
      // Tables in memory: what their loading does is no part of these races, and would be most of the accesses.
      for (const extent = new Extent(); extent.offset + extent.length < disk.size; ) {
        const next = extent.offset + extent.length
        disk.nextExtent(next, disk.size - next, extent)
      }
      const witness = storage.create(WITNESS, true)
      const copiers = { progress: PrefetchProgress.allocate(), throttle: Throttle.allocate() }
      new PrefetchProgress(copiers.progress).enter('waiting')
      const program = patchProgram(directory, stage.mutations)
      const memory = Turns.allocate()
      const channels = Array.from({ length: stage.threads }, () => new MessageChannel())
      const results = channels.map(() => new SharedArrayBuffer(RESULT_BYTES))
      for (const [me, { port2 }] of channels.entries()) {
        const workerData: ThreadOrder = {
          me,
          turns: memory,
          disk: disk.describe(),
          copiers,
          witness: witness.describe(),
          result: results[me]!,
          port: port2,
        }
        workers.push(new Worker(program, { workerData, transferList: [port2] }))
      }
      await Promise.all(workers.map(worker => once(worker, 'message')))
      const ports = channels.map(({ port1 }) => port1)
      return new ScheduledRuns(stage, initial, disk, copiers, new Turns(memory, -1), workers, ports, results)
    } catch (error) {
      await Promise.all(workers.map(worker => worker.terminate()))
      throw error
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  /** What happened in the last run, point by point. */
  story(most = Number.POSITIVE_INFINITY): string {
    return this.turns.story(Object.keys(this.cast ?? {}), most)
  }

  async close(): Promise<void> {
    for (const port of this.ports) port.close()
    await Promise.all(this.workers.map(worker => worker.terminate()))
  }

  /** Every interleaving with at most `preemptions` of them, at points of `level`; at most `most` runs. */
  explore(
    cast: Cast,
    {
      preemptions = Number.POSITIVE_INFINITY,
      most = Number.POSITIVE_INFINITY,
      level = Level.coarse as Level,
      demands = {} as Demands,
    } = {},
  ): Explored {
    let script: number[] = []
    for (let runs = 1; ; runs++) {
      const failure = this.run(cast, { level, script, draws: null }, demands)
      if (failure !== null) return { runs, complete: false, failure }
      const next = nextScript(this.turns.made, preemptions)
      if (next === null) return { runs, complete: true, failure: null }
      if (runs === most) return { runs, complete: false, failure: null }
      script = next
    }
  }

  /** One run, its schedule drawn from the seed. */
  draw(cast: Cast, seed: number, switchChance: number, level: Level, demands: Demands = {}): string | null {
    return this.run(cast, { level, script: [], draws: { seed: seed | 0, switchChance } }, demands)
  }

  /** Puts everything back, lets the threads play, and judges; what went wrong in words, or null. */
  private run(cast: Cast, schedule: Schedule, demands: Demands): string | null {
    if (this.isStuck) throw new Error('threads of an earlier run are stuck')
    for (const [memory, before] of this.snapshot) memory.set(before)
    const names = Object.keys(cast)
    if (names.length > this.workers.length) throw new RangeError(`${names.length} threads on this stage`)
    if (cast !== this.cast) for (const [n, name] of names.entries()) this.ports[n]!.postMessage(cast[name])
    this.cast = cast
    this.isStuck = true
    for (const result of this.results) new Int32Array(result, 0, 1)[0] = 0
    const ended = this.turns.run(names.length, schedule, RUN_LIMIT)
    const wrong = ended ? this.judgeSafely(names, demands) : `the run did not end in ${RUN_LIMIT / 1000} s`
    if (wrong === null) return null
    const { script, draws } = schedule
    const how = draws === null ? `choices ${script.join(' ')}` : `seed ${draws.seed}, ${draws.switchChance}`
    const parts = names.map(name => `  ${name}: ${JSON.stringify(cast[name])}`)
    return [wrong, `with ${how}:`, ...parts, this.story(150)].join('\n')
  }

  private judgeSafely(names: readonly string[], demands: Demands): string | null {
    try {
      return this.judge(names, demands)
    } catch (error) {
      return `what the run left cannot be read: ${error instanceof Error ? error.stack : error}`
    }
  }

  private judge(names: readonly string[], demands: Demands): string | null {
    const { outcome } = this.turns
    this.isStuck = outcome !== Outcome.done
    if (outcome === Outcome.deadlock) return 'deadlock: every thread waits'
    if (outcome === Outcome.endless) return 'the threads go on without end'
    const results = names.map((_, n) => this.result(n))
    if (outcome === Outcome.failed) {
      const failed = results.findIndex(({ error }) => error !== null)
      return `${names[failed]} failed: ${results[failed]?.error}`
    }
    this.events = results.flatMap(({ events }) => events)
    const { size } = this.disk
    const now = 2 ** 31
    const seen = contentsOfDisk(this.disk)
    const final: Event = { act: { kind: 'read', offset: 0, length: size }, invoked: now, returned: now, seen }
    return (
      explain(this.initial, [...this.events, final]) ??
      this.readTwice(demands) ??
      this.whenWitnessed() ??
      (this.runs++ % CRASH_EVERY === 0 ? this.afterCrash(final.seen!) : null)
    )
  }

  private readTwice({ readOnce }: Demands): string | null {
    const { storage } = this.stage
    if (readOnce === undefined) return null
    const sector = storage.readsBySector(readOnce).findIndex(count => count > 1)
    return sector < 0 ? null : `sector ${sector} of the base was read more than once`
  }

  /**
   * The image as it was when the first flush returned, must show what was written before the flush; when it said that it
   * needs no base, all of the base, but for what guests wrote.
   */
  private whenWitnessed(): string | null {
    const { storage, path, format } = this.stage
    const witnessed = this.events.filter(event => event.witnessed === true)
    const event = witnessed.find(({ independent }) => independent === true) ?? witnessed[0]
    if (event === undefined) return null
    const copy = storage.clone()
    copy.rename(WITNESS, path)
    if (event.independent)
      for (const base of this.disk.describe().layers.slice(1)) copy.remove(base.file.path)
    const early = openImage(path, { host: copy, format })
    const seen = contentsOfDisk(early.disk)
    early.close()
    if (event.independent) {
      const sector = seen.findIndex((found, n) => found !== this.initial[n] && !this.wasWritten(n, found))
      if (sector < 0) return null
      return `when the image said that it needs no base, sector ${sector} showed ${seen[sector]} without it`
    }
    const writes = this.events.filter(({ act }) => act.kind === 'write' || act.kind === 'zero')
    const act = { kind: 'read', offset: 0, length: seen.length * SECTOR } as const
    const wrong = explain(this.initial, [...writes, { ...event, act, seen }])
    return wrong && `after a flush and a power cut: ${wrong}`
  }

  private wasWritten(sector: number, found: number): boolean {
    return this.events.some(({ act }) => {
      if (!('offset' in act) || act.kind === 'read' || act.kind === 'prefetch') return false
      const written = 'version' in act ? content(act.version, 0) : 0
      const at = sector * SECTOR
      return act.offset <= at && at < act.offset + act.length && found === written
    })
  }

  /** After a flush the image must show the same to who finds it as it is; without its base, when it said so. */
  private afterCrash(expected: readonly number[]): string | null {
    const { storage, path, format } = this.stage
    storage.unseal(path)
    this.disk.flush()
    const copy = storage.clone()
    const isIndependent = this.events.some(({ independent }) => independent === true)
    if (isIndependent) for (const base of this.disk.describe().layers.slice(1)) copy.remove(base.file.path)
    const again = openImage(path, { host: copy, format })
    const got = contentsOfDisk(again.disk)
    again.close()
    const sector = got.findIndex((content, n) => content !== expected[n])
    if (sector < 0) return null
    return `after a flush and a crash ${isIndependent ? 'and without its base ' : ''}sector ${sector} shows ${got[sector]}, not ${expected[sector]}`
  }

  private result(thread: number): ThreadResult {
    const [length] = new Int32Array(this.results[thread]!, 0, 1)
    if (length === 0) return { events: [], error: null }
    // A text decoder does not take shared memory.
    return JSON.parse(
      Buffer.from(new Uint8Array(this.results[thread]!, 4, length)).toString(),
    ) as ThreadResult
  }
}

const WHOLE = new IoBuffer(CAPACITY)

/** What the whole disk shows, by sector. */
function contentsOfDisk(disk: Disk): number[] {
  disk.read(0, disk.size, WHOLE, 0)
  return contentsOf(WHOLE.bytes, 0, disk.size)
}

/** The next script in depth-first order; null when there is none. */
function nextScript(made: readonly Choice[], preemptions: number): number[] | null {
  let used = made.reduce((sum, { taken, canStay }) => sum + (canStay && taken > 0 ? 1 : 0), 0)
  for (let n = made.length - 1; n >= 0; n--) {
    const { taken, among, canStay } = made[n]!
    if (canStay && taken > 0) used--
    const cost = canStay ? 1 : 0
    if (taken + 1 < among && used + cost <= preemptions) {
      return [...made.slice(0, n).map(choice => choice.taken), taken + 1]
    }
  }
  return null
}

function collectShared(value: unknown, into: Set<SharedArrayBuffer>): void {
  if (value instanceof SharedArrayBuffer) into.add(value)
  else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) collectShared(part, into)
  }
}
