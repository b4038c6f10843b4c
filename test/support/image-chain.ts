import { checkImage } from '../../src/disk/check.js'
import type { CopyRequest } from '../../src/disk/copying.js'
import { createImage } from '../../src/disk/create.js'
import { ModelDisk } from './model-disk.js'
import { chooseWindows, drawOperation, type Window } from './operations.js'
import type { Origin } from './pattern.js'
import type { Random } from './random.js'
import type { SimulatedStorage } from './simulated-storage.js'
import { TestDisk } from './test-disk.js'

/** An image to be made, with the images below it. Sizes in bytes. */
export interface ImageSpec {
  readonly format: string
  readonly size: number
  /** As for `create -o`. */
  readonly options?: Readonly<Record<string, string>>
  readonly backing?: ImageSpec
  /** Bytes of metadata cache for the open image; the default when absent. */
  readonly metadataCache?: number
  /** A crash leaves it refused for writing until its check was told to accept what is there. */
  readonly mustRepairAfterCrash?: boolean
  /** What the format allocates in, so that operations meet its borders; bytes. */
  readonly unit: number
}

export interface BuiltImage {
  readonly path: string
  readonly spec: ImageSpec
  /** What the image shows, bases included. */
  readonly model: ModelDisk
  readonly windows: readonly Window[]
}

const DIRECTORY = '/images'

/**
 * Makes an empty image over bases that hold patterns in about half of the windows, all written by the drivers under
 * test. At most three bases.
 */
export function buildImage(storage: SimulatedStorage, spec: ImageSpec, random: Random): BuiltImage {
  const windows = chooseWindows(random, spec.size, spec.unit)
  const model = build(storage, spec, 0, windows, random)
  return { path: pathOf(0), spec, model, windows }
}

export function openBuilt(
  storage: SimulatedStorage,
  built: BuiltImage,
  writable: boolean,
  copying: CopyRequest | null = null,
): TestDisk {
  const { format, metadataCache } = built.spec
  return TestDisk.open(built.path, {
    host: storage,
    format,
    writable,
    copying,
    ...(metadataCache && { metadataCache }),
  })
}

/** After a crash: what the user is told to do before the image is written again. */
export function repairIfNeeded(storage: SimulatedStorage, { path, spec }: BuiltImage): void {
  if (!spec.mustRepairAfterCrash) return
  checkImage(path, { format: spec.format, repair: 'all', host: storage })
}

/** One line that says which chain it is. */
export function describeSpec({ format, size, options = {}, backing, metadataCache }: ImageSpec): string {
  const words = [format, `${size} bytes`, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)]
  if (metadataCache !== undefined) words.push(`metadata cache ${metadataCache}`)
  return words.join(' ') + (backing === undefined ? '' : ` over ${describeSpec(backing)}`)
}

function build(
  storage: SimulatedStorage,
  spec: ImageSpec,
  depth: number,
  windows: readonly Window[],
  random: Random,
): ModelDisk {
  const { format, size, backing } = spec
  const base = backing === undefined ? null : build(storage, backing, depth + 1, windows, random)
  createImage(pathOf(depth), {
    format,
    size,
    host: storage,
    options: new Map(Object.entries(spec.options ?? {})),
    backing: backing === undefined ? null : { name: nameOf(depth + 1), format: backing.format },
  })
  const model = base === null ? new ModelDisk(size) : ModelDisk.over(base, size)
  // FVD knows whole sectors only: what the base has of a last one it leaves out.
  if (base !== null && format === 'fvd' && base.size % 512 !== 0 && base.size < size) {
    model.zero(base.size - (base.size % 512), base.size % 512)
    model.flush()
  }
  if (depth > 0) fill(storage, spec, depth, model, windows, random)
  return model
}

function fill(
  storage: SimulatedStorage,
  spec: ImageSpec,
  depth: number,
  model: ModelDisk,
  windows: readonly Window[],
  random: Random,
): void {
  const places = [...windows, ...chooseWindows(random, spec.size, spec.unit)]
    .filter(window => window.offset < spec.size)
    .map(({ offset, length }) => ({ offset, length: Math.min(length, spec.size - offset) }))
  const disk = TestDisk.open(pathOf(depth), { host: storage, format: spec.format, writable: true })
  for (let version = 1; version <= 6 * places.length; version++) {
    const operation = drawOperation(random, places, spec.unit, { write: 1 })
    if (!('offset' in operation)) continue
    const { offset, length } = operation
    disk.write(offset, model.write(offset, length, version, depth as Origin))
  }
  disk.close()
  model.flush()
}

function nameOf(depth: number): string {
  return depth === 0 ? 'image' : `base${depth}`
}

function pathOf(depth: number): string {
  return `${DIRECTORY}/${nameOf(depth)}`
}
