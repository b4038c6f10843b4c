import test from 'ava'
import { openImage } from '../../src/disk/open.js'
import { DEFAULT_COPY_SETTINGS } from '../../src/formats/copy-settings.js'
import { Budget } from '../support/budget.js'
import { COPY_ALL, TestCopier } from '../support/copying.js'
import { mustBeConsistent, verify } from '../support/exercise.js'
import { FVD_CHAINS, QED_CHAINS } from '../support/geometries.js'
import {
  type BuiltImage,
  buildImage,
  describeSpec,
  type ImageSpec,
  openBuilt,
} from '../support/image-chain.js'
import {
  describeOperation,
  drawOperation,
  type Mixture,
  minimize,
  type Operation,
} from '../support/operations.js'
import { SECTOR } from '../support/pattern.js'
import { Random, seeded } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'
import { TestDisk } from '../support/test-disk.js'

/**
 * Guests and copiers in one thread, in an order drawn at random: after each operation of the guest the disk shows what
 * the model says, however much of it has left the base by then; a crash loses nothing that was flushed; and when the
 * image says that it needs no base, it is the same without it.
 */
const MIX: Mixture = { write: 10, zero: 3, read: 12, flush: 1, reopen: 1, kill: 1 }
const OPERATIONS = 60

/** Bytes; fetching all of a larger base takes too long here. */
const LARGE = 12 << 20

/** Bytes that what was read can wait in. */
const RING = DEFAULT_COPY_SETTINGS.outstanding
const BASE = '/images/base1'

/** A guest's operation, and how many steps the copier does before it. */
type Turn = Operation & { readonly steps: number }

class Session {
  private disk: TestDisk
  private copier: TestCopier | null

  constructor(
    private readonly storage: SimulatedStorage,
    private readonly built: BuiltImage,
  ) {
    this.disk = this.open()
    this.copier = this.makeCopier()
  }

  take(turn: Turn, version: number): void {
    const { built, disk } = this
    const { model } = built
    this.copier?.steps(turn.steps)
    if (turn.kind === 'flush' || turn.kind === 'reopen' || turn.kind === 'kill') {
      this.endOr(turn.kind)
      return
    }
    if (!('offset' in turn)) return
    const { kind, offset, length } = turn
    if (kind === 'write') disk.write(offset, model.write(offset, length, version))
    if (kind === 'zero') {
      disk.zero(offset, length)
      model.zero(offset, length)
    }
    const from = Math.max(0, offset - built.spec.unit)
    const to = Math.min(model.size, offset + length + built.spec.unit)
    must(model.compare(disk.read(from, to - from), from))
  }

  /** Fetches the rest. Without its base, the image is then the same. */
  finish(): void {
    this.copier?.run()
    verify(this.disk, this.built)
    this.mustHaveReadOnce()
    if (this.copier !== null && this.copier.progress.state !== 'done') {
      throw new Error(`prefetching is ${this.copier.progress.state}: ${this.copier.progress.reason}`)
    }
    this.disk.close()
    this.built.model.flush()
    mustBeConsistent(this.storage, this.built, true)
    const { backing } = openFacts(this.storage, this.built)
    if (backing) throw new Error('the image still names its base')
    for (let depth = 1; this.storage.has(`/images/base${depth}`); depth++)
      this.storage.remove(`/images/base${depth}`)
    const alone = openBuilt(this.storage, this.built, false)
    verify(alone, this.built)
    alone.close()
  }

  /** Since the image was opened. What was read and not stored is read again after the next open. */
  private mustHaveReadOnce(): void {
    const { backing } = this.built.spec
    // With more than the ring holds, or counted in the places of another format, it says nothing.
    if (backing?.format !== 'raw' || backing.size > RING) return
    const counts = new Uint8Array(Math.ceil(backing.size / SECTOR))
    for (const { kind, path, offset, length } of this.storage.calls) {
      if (kind !== 'read' || path !== BASE) continue
      for (let sector = Math.floor(offset / SECTOR); sector * SECTOR < offset + length; sector++) {
        if (sector < counts.length && ++counts[sector]! > 1) {
          throw new Error(`sector ${sector} of the base was read twice`)
        }
      }
    }
  }

  private endOr(kind: 'flush' | 'reopen' | 'kill'): void {
    const { built, disk, storage } = this
    const { model } = built
    if (kind === 'flush') {
      disk.flush()
      model.flush()
      return
    }
    this.mustHaveReadOnce()
    if (kind === 'reopen') disk.close()
    else disk.drop()
    mustBeConsistent(storage, built, true)
    this.disk = this.open()
    this.copier = this.makeCopier()
    if (kind === 'kill') {
      for (const { offset, length } of model.unflushed()) {
        must(model.adopt(this.disk.read(offset, length), offset))
      }
    }
    model.flush()
    verify(this.disk, built)
  }

  private open(): TestDisk {
    const { path, spec } = this.built
    const { format, metadataCache } = spec
    const image = openImage(path, {
      host: this.storage,
      format,
      writable: true,
      copying: COPY_ALL,
      ...(metadataCache && { metadataCache }),
    })
    this.storage.forget()
    return new TestDisk(image)
  }

  /** None when the image needs its base no more. */
  private makeCopier(): TestCopier | null {
    return this.disk.image.copying === null ? null : new TestCopier(this.disk.image)
  }
}

function openFacts(storage: SimulatedStorage, { path, spec }: BuiltImage): { backing: boolean } {
  const image = openImage(path, { host: storage, format: spec.format })
  const backing = image.chain.length > 1
  image.close()
  return { backing }
}

function run(spec: ImageSpec, seed: number, turns: readonly Turn[]): string | null {
  const storage = new SimulatedStorage()
  const built = buildImage(storage, spec, new Random(seed).fork(0))
  let step = 'at the start'
  try {
    const session = new Session(storage, built)
    for (const [index, turn] of turns.entries()) {
      step = `after operation ${index + 1} (${describeOperation(turn)})`
      session.take(turn, index + 1)
    }
    step = 'at the end'
    session.finish()
    return null
  } catch (error) {
    return `${step}: ${error instanceof Error ? error.stack : error}`
  }
}

function exercise(spec: ImageSpec, seed: number): string | null {
  const random = new Random(seed)
  const { windows } = buildImage(new SimulatedStorage(), spec, random.fork(0))
  const draws = random.fork(1)
  const turns = Array.from({ length: OPERATIONS }, () => ({
    ...drawOperation(draws, windows, spec.unit, MIX),
    steps: draws.chance(0.6) ? 0 : draws.between(1, 3),
  }))
  const failure = run(spec, seed, turns)
  if (failure === null) return null
  const fewest = minimize(turns, shorter => run(spec, seed, shorter) !== null, 100)
  return [
    run(spec, seed, fewest) ?? failure,
    `with seed ${seed} on ${describeSpec(spec)}:`,
    ...fewest.map(turn => `  ${turn.steps} steps, ${describeOperation(turn)}`),
  ].join('\n')
}

function must(wrong: string | null): void {
  if (wrong !== null) throw new Error(wrong)
}

for (const [name, spec] of Object.entries({ ...QED_CHAINS, ...FVD_CHAINS })) {
  if (spec.size > LARGE || spec.mustRepairAfterCrash) continue
  test(`${spec.format}, ${name}: while it is copied up, the disk shows what the model shows`, t => {
    const random = seeded(t)
    const budget = new Budget(spec.unit >= 1 << 20 ? 1 : 4)
    for (let n = 0; budget.next(); n++) {
      const failure = exercise(spec, n === 0 ? random.seed : random.fork(n).seed)
      if (failure !== null) return t.fail(failure)
    }
    return t.pass()
  })
}
