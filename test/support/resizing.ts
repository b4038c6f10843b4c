import { type ResizedImage, type ResizeImageOptions, resizeImage } from '../../src/disk/resize.js'
import { mustBeConsistent, verify } from './exercise.js'
import { type BuiltImage, openBuilt } from './image-chain.js'
import { ModelDisk } from './model-disk.js'
import { chooseWindows, drawOperation, type Window } from './operations.js'
import type { Random } from './random.js'
import type { SimulatedStorage } from './simulated-storage.js'

/** As the command does, with data cut off. */
export function resizeBuilt(
  storage: SimulatedStorage,
  { path, spec }: BuiltImage,
  size: number,
  options: ResizeImageOptions = {},
): ResizedImage {
  return resizeImage(path, size, {
    host: storage,
    format: spec.format,
    shrink: true,
    force: true,
    ...options,
  })
}

/** What the image must be afterwards: the old contents as far as they go, then zeros. */
export function resized(built: BuiltImage, size: number, random: Random): BuiltImage {
  const { model, spec } = built
  return {
    ...built,
    model: ModelDisk.over(model, size),
    windows: windowsFor(random, size, spec.unit, model.size),
  }
}

/** Windows of a disk, one of them around where another size ends. */
export function windowsFor(random: Random, size: number, unit: number, otherEnd: number): Window[] {
  const windows = chooseWindows(random, size, unit)
  const offset = Math.max(0, otherEnd - 3 * unit)
  const length = Math.min(size, otherEnd + 3 * unit) - offset
  return length > 0 && windows.length > 1 ? [...windows, { offset, length }] : windows
}

/** Random writes and zeroing, flushed; `version` numbers the first of them. */
export function work(
  storage: SimulatedStorage,
  built: BuiltImage,
  random: Random,
  count: number,
  version: number,
  end: 'close' | 'kill' = 'close',
): void {
  const { model, spec, windows } = built
  const disk = openBuilt(storage, built, true)
  for (let n = 0; n < count; n++) {
    const operation = drawOperation(random, windows, spec.unit, { write: 4, zero: 1 })
    if (!('offset' in operation)) continue
    const { kind, offset, length } = operation
    if (kind === 'write') disk.write(offset, model.write(offset, length, version + n))
    else {
      disk.zero(offset, length)
      model.zero(offset, length)
    }
  }
  disk.flush()
  model.flush()
  if (end === 'kill') disk.drop()
  else disk.close()
}

/** The image is sound and shows its model, opened for reading and for writing. */
export function mustShow(storage: SimulatedStorage, built: BuiltImage, mayLeak: boolean): void {
  mustBeConsistent(storage, built, mayLeak)
  for (const writable of [false, true]) {
    const disk = openBuilt(storage, built, writable)
    if (disk.size !== built.model.size) throw new Error(`has ${disk.size} bytes, not ${built.model.size}`)
    verify(disk, built)
    disk.close()
  }
  mustBeConsistent(storage, built, mayLeak)
  if (storage.leftOpen().length > 0) throw new Error(`left open: ${storage.leftOpen().join(', ')}`)
}

/** A size near another, or near something that the format has borders at; a multiple of `grid`. */
export function drawSize(random: Random, size: number, unit: number, grid: number, largest: number): number {
  const draws = [
    () => size + random.between(-4, 4) * unit,
    () => size + random.between(-20, 20) * grid,
    () => Math.floor(size / unit) * unit,
    () => size * random.pick([2, 3, 9]),
    () => Math.floor(size / random.pick([2, 3, 9])),
    () => size + random.below(64) * 1024 * unit,
  ]
  const drawn = Math.floor(random.pick(draws)() / grid) * grid
  return Math.max(grid, Math.min(drawn, Math.floor(largest / grid) * grid))
}
