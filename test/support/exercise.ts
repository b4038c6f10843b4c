import { checkImage } from '../../src/disk/check.js'
import {
  type BuiltImage,
  buildImage,
  describeSpec,
  type ImageSpec,
  openBuilt,
  repairIfNeeded,
} from './image-chain.js'
import type { ModelDisk } from './model-disk.js'
import {
  chooseWindows,
  describeOperation,
  drawOperation,
  type Mixture,
  minimize,
  type Operation,
} from './operations.js'
import { Random } from './random.js'
import { SimulatedStorage } from './simulated-storage.js'
import type { TestDisk } from './test-disk.js'

const EVERYTHING: Mixture = { write: 12, zero: 5, read: 3, flush: 2, reopen: 1, kill: 1 }
/** Many writes between flushes: what is pending piles up. */
const HOARDING: Mixture = { write: 30, zero: 6, read: 4, flush: 1 }

/**
 * Does operations on an image and on the model and compares after each. A failure comes back as a text with the
 * fewest operations that still show it.
 */
export function exercise(spec: ImageSpec, seed: number, count: number): string | null {
  const random = new Random(seed)
  const windows = chooseWindows(random.fork(0), spec.size, spec.unit)
  const draws = random.fork(1)
  const mix = draws.chance(0.3) ? HOARDING : EVERYTHING
  const operations = Array.from({ length: count }, () => drawOperation(draws, windows, spec.unit, mix))
  const failure = run(spec, random, operations)
  if (failure === null) return null
  const fewest = minimize(operations, shorter => run(spec, random, shorter) !== null)
  return [
    run(spec, random, fewest) ?? failure,
    `with seed ${seed} on ${describeSpec(spec)}:`,
    ...fewest.map(operation => `  ${describeOperation(operation)}`),
  ].join('\n')
}

function run(spec: ImageSpec, random: Random, operations: readonly Operation[]): string | null {
  const storage = new SimulatedStorage()
  const built = buildImage(storage, spec, random.fork(0))
  // A leak that a kill left may stay: not every format has to look for it.
  const mayLeak = operations.some(({ kind }) => kind === 'kill')
  let step = 'at the start'
  let disk: TestDisk | null = null
  try {
    disk = openBuilt(storage, built, true)
    verify(disk, built)
    for (const [index, operation] of operations.entries()) {
      step = `after operation ${index + 1} (${describeOperation(operation)})`
      disk = perform(storage, built, disk, operation, index + 1, mayLeak)
    }
    step = 'at the end'
    disk.close()
    built.model.flush()
    mustBeConsistent(storage, built, mayLeak)
    disk = openBuilt(storage, built, false)
    verify(disk, built)
    disk.close()
    if (storage.leftOpen().length > 0) throw new Error(`left open: ${storage.leftOpen().join(', ')}`)
    return null
  } catch (error) {
    return `${step}: ${error instanceof Error ? error.message : error}`
  }
}

/** Throws what is wrong; returns the disk to go on with. */
function perform(
  storage: SimulatedStorage,
  built: BuiltImage,
  disk: TestDisk,
  operation: Operation,
  version: number,
  mayLeak: boolean,
): TestDisk {
  const { model } = built
  if ('offset' in operation) {
    const { kind, offset, length } = operation
    if (kind === 'write') disk.write(offset, model.write(offset, length, version))
    if (kind === 'zero') {
      disk.zero(offset, length)
      model.zero(offset, length)
    }
    // The neighbours too: what an allocation filled in around the guest's bytes.
    const from = Math.max(0, offset - built.spec.unit)
    const to = Math.min(model.size, offset + length + built.spec.unit)
    must(model.compare(disk.read(from, to - from), from))
    if (kind !== 'read') mustTellZeros(disk, model, from, to - from)
    return disk
  }
  if (operation.kind === 'flush') {
    disk.flush()
    model.flush()
    verify(disk, built)
    return disk
  }
  if (operation.kind === 'reopen') disk.close()
  else {
    disk.drop()
    repairIfNeeded(storage, built)
  }
  mustBeConsistent(storage, built, mayLeak)
  const again = openBuilt(storage, built, true)
  if (operation.kind === 'kill') {
    for (const { offset, length } of model.unflushed()) must(model.adopt(again.read(offset, length), offset))
  }
  model.flush()
  verify(again, built)
  return again
}

/** All windows show what the model says, and the extents call nothing zero that is not. */
export function verify(disk: TestDisk, { model, windows }: BuiltImage): void {
  for (const { offset, length } of windows) {
    must(model.compare(disk.read(offset, length), offset))
    mustTellZeros(disk, model, offset, length)
  }
}

function mustTellZeros(disk: TestDisk, model: ModelDisk, offset: number, length: number): void {
  for (const extent of disk.extents(offset, length)) {
    if ((extent.data && !extent.hole) || model.isZero(extent.offset, extent.length)) continue
    throw new Error(`the extent ${extent.offset}+${extent.length} is said to be zeros, and is not`)
  }
}

/** The format's own check finds nothing; after a kill it may find leaks. */
export function mustBeConsistent(storage: SimulatedStorage, built: BuiltImage, mayLeak: boolean): void {
  const { report } = checkImage(built.path, { format: built.spec.format, host: storage })
  if (report === null) return
  const { corruptions, leaks, errors } = report
  if (corruptions === 0 && errors === 0 && (leaks === 0 || mayLeak)) return
  const found = `${corruptions} corruptions, ${leaks} leaks, ${errors} errors`
  throw new Error(`check finds ${found}: ${report.findings.slice(0, 3).join('; ')}`)
}

export function must(wrong: string | null): void {
  if (wrong !== null) throw new Error(wrong)
}
