import { checkImage } from '../../src/disk/check.js'
import { createImage } from '../../src/disk/create.js'
import { must } from './exercise.js'
import { fvdSpec, qedSpec, rawSpec } from './geometries.js'
import { type BuiltImage, buildImage, type ImageSpec, openBuilt, repairIfNeeded } from './image-chain.js'
import { ModelDisk } from './model-disk.js'
import { drawOperation } from './operations.js'
import type { Random } from './random.js'
import { SimulatedStorage } from './simulated-storage.js'
import { TestDisk } from './test-disk.js'

const KIB = 1024

/** Images of all formats on bases of all formats, which are as long or longer. */
export const OVERLAYS: Record<string, ImageSpec> = {
  'QED over raw': qedSpec(128 * KIB + 512, 4 * KIB, 1, { backing: rawSpec(128 * KIB + 512) }),
  'QED with many tables over a longer raw': qedSpec(2112 * KIB, 4 * KIB, 1, {
    metadataCache: 1,
    backing: rawSpec(2112 * KIB + 777),
  }),
  'QED over QED with larger clusters over raw': qedSpec(128 * KIB, 4 * KIB, 1, {
    backing: qedSpec(140 * KIB, 16 * KIB, 1, { backing: rawSpec(90 * KIB) }),
  }),
  'QED over compact FVD': qedSpec(128 * KIB, 8 * KIB, 1, {
    backing: fvdSpec(128 * KIB, { chunk: 4 * KIB, journal: 4 * KIB }),
  }),
  'flat FVD over raw': fvdSpec(128 * KIB, { block: 1536, journal: 8 * KIB }, rawSpec(130 * KIB)),
  'compact FVD over a longer QED, blocks across chunks': fvdSpec(
    128 * KIB,
    { block: 7680, chunk: 4 * KIB, journal: 8 * KIB },
    qedSpec(160 * KIB, 4 * KIB, 1),
  ),
  'compact FVD with a data file over flat FVD over raw': fvdSpec(
    120 * KIB + 512,
    { block: 4 * KIB, chunk: 16 * KIB, dataFile: true },
    fvdSpec(128 * KIB, { block: 512, journal: 4 * KIB }, rawSpec(100 * KIB)),
  ),
}

/** An image with something in it, closed, and everything durable. */
export class Overlay {
  readonly storage = new SimulatedStorage()
  readonly built: BuiltImage

  constructor(
    readonly spec: ImageSpec,
    random: Random,
    writes = 12,
    /** 'kill': what was flushed is all that is sure to be there, and there is nothing else. */
    end: 'close' | 'kill' = 'close',
  ) {
    this.built = buildImage(this.storage, spec, random.fork(0))
    const { model, windows } = this.built
    const draws = random.fork(1)
    const disk = openBuilt(this.storage, this.built, true)
    for (let version = 1; version <= writes; version++) {
      const operation = drawOperation(draws, windows, spec.unit, { write: 3, zero: 1 })
      if (!('offset' in operation)) continue
      // So that a journal has something, too.
      if (version % 4 === 0) disk.flush()
      const { kind, offset, length } = operation
      if (kind === 'write') disk.write(offset, model.write(offset, length, version))
      else {
        model.zero(offset, length)
        disk.zero(offset, length)
      }
    }
    disk.flush()
    if (end === 'close') disk.close()
    else disk.drop()
    model.flush()
    this.storage.settle()
  }

  /** Throws unless the image is consistent and shows, with what it stands on, what it always did. */
  mustShowTheSame(storage: SimulatedStorage, { mayLeak = true } = {}): void {
    repairIfNeeded(storage, this.built)
    this.mustBeSound(storage, this.built.path, this.spec.format, mayLeak)
    const disk = openBuilt(storage, this.built, false)
    try {
      must(this.built.model.compare(disk.read(0, disk.size), 0))
    } finally {
      disk.close()
    }
  }

  /** Throws unless the base by itself shows the same, as far as the image goes. */
  mustBeInBase(storage: SimulatedStorage): void {
    const { format } = this.spec.backing!
    this.mustBeSound(storage, BASE, format, true)
    const base = TestDisk.open(BASE, { host: storage, format })
    const got = base.read(0, this.spec.size)
    base.close()
    const wrong = this.built.model.compare(got, 0)
    must(wrong && `the base: ${wrong}`)
  }

  /** Bytes that the image itself has of the disk. */
  presentBytes(storage: SimulatedStorage): number {
    const disk = openBuilt(storage, this.built, false)
    const present = disk.extents(0, disk.size).filter(({ present, depth }) => present && depth === 0)
    disk.close()
    return present.reduce((sum, { length }) => sum + length, 0)
  }

  private mustBeSound(storage: SimulatedStorage, path: string, format: string, mayLeak: boolean): void {
    const { report } = checkImage(path, { format, host: storage })
    if (report === null) return
    const { corruptions, leaks, errors, findings } = report
    if (corruptions + errors > 0 || (leaks > 0 && !mayLeak)) throw new Error(`${path}: ${findings[0]}`)
  }
}

export const BASE = '/images/base1'
export const OTHER = '/images/other'

/** A base that has, in parts, the same as the image's own one. */
export function addOtherBase({ storage, built }: Overlay, spec: ImageSpec, random: Random): void {
  createImage(OTHER, {
    host: storage,
    format: spec.format,
    size: spec.size,
    options: new Map(Object.entries(spec.options ?? {})),
  })
  const { backing } = built.spec
  const own = backing && TestDisk.open(BASE, { host: storage, format: backing.format })
  const disk = TestDisk.open(OTHER, { host: storage, format: spec.format, writable: true })
  const common = own === undefined ? 0 : Math.min(spec.size, own.size)
  if (own !== undefined) disk.write(0, own.read(0, common))
  own?.close()
  const model = new ModelDisk(spec.size)
  for (let version = 1; version <= 6; version++) {
    const operation = drawOperation(random, [{ offset: 0, length: spec.size }], spec.unit, {
      write: 2,
      zero: 1,
    })
    if (!('offset' in operation)) continue
    const { kind, offset, length } = operation
    if (kind === 'zero') disk.zero(offset, length)
    else disk.write(offset, model.write(offset, length, version, 3))
  }
  disk.close()
  storage.settle()
}
