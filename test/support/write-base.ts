import type { CopyRequest } from '../../src/disk/copying.js'
import type { WriteBase } from '../../src/formats/copy-settings.js'
import { must } from './exercise.js'
import { fvdSpec, qedSpec, rawSpec } from './geometries.js'
import { type BuiltImage, buildImage, type ImageSpec, openBuilt, repairIfNeeded } from './image-chain.js'
import type { ModelDisk } from './model-disk.js'
import type { Random } from './random.js'
import type { SimulatedStorage } from './simulated-storage.js'
import { TestDisk } from './test-disk.js'

const KIB = 1024

/** Images of all formats as caches of bases of all formats, which are shorter, equal and longer. */
export const CACHES: Record<string, ImageSpec> = {
  'QED over raw': qedSpec(160 * KIB + 512, 4 * KIB, 1, { backing: rawSpec(100 * KIB + 512) }),
  'QED over a longer raw': qedSpec(128 * KIB, 8 * KIB, 1, { backing: rawSpec(200_001) }),
  'QED over QED over raw': qedSpec(128 * KIB, 16 * KIB, 1, {
    backing: qedSpec(140 * KIB, 4 * KIB, 1, { backing: rawSpec(90 * KIB) }),
  }),
  'QED over compact FVD': qedSpec(160 * KIB, 8 * KIB, 1, {
    backing: fvdSpec(128 * KIB, { chunk: 4 * KIB, journal: 4 * KIB }),
  }),
  'flat FVD over raw': fvdSpec(160 * KIB, { block: 1536, journal: 8 * KIB }, rawSpec(99 * KIB + 512)),
  'compact FVD over a longer QED, blocks across chunks': fvdSpec(
    128 * KIB,
    { block: 7680, chunk: 4 * KIB, journal: 8 * KIB },
    qedSpec(160 * KIB, 4 * KIB, 1),
  ),
  'compact FVD over flat FVD over raw': fvdSpec(
    160 * KIB + 512,
    { block: 4 * KIB, chunk: 16 * KIB },
    fvdSpec(120 * KIB, { block: 512, journal: 4 * KIB }, rawSpec(100 * KIB)),
  ),
}

export const NOTHING_COPIED: CopyRequest = {
  copyOnRead: 'off',
  prefetch: 'off',
  prefetchRate: null,
  detach: false,
  recordProfile: false,
  prefetchProfile: 'off',
  writeBase: 'no',
}

export function writing(writeBase: 'image' | WriteBase, more: Partial<CopyRequest> = {}): CopyRequest {
  return { ...NOTHING_COPIED, writeBase, ...more }
}

/** An image that is the cache of its base, and what the base must show. */
export class Cache {
  readonly built: BuiltImage
  /** Bytes that image and base have in common. */
  readonly common: number
  /** What the base has beyond them; it never changes. */
  private readonly rest: Uint8Array

  constructor(storage: SimulatedStorage, spec: ImageSpec, random: Random) {
    this.built = buildImage(storage, spec, random)
    const base = this.openBase(storage)
    const { size } = base
    this.common = Math.min(spec.size, size)
    this.rest = base.read(this.common, size - this.common)
    base.close()
  }

  get model(): ModelDisk {
    return this.built.model
  }

  open(storage: SimulatedStorage, request: CopyRequest): TestDisk {
    return openBuilt(storage, this.built, true, request)
  }

  /** The base by itself, as nobody has it open. */
  openBase(storage: SimulatedStorage): TestDisk {
    const { format } = this.built.spec.backing!
    return TestDisk.open('/images/base1', { host: storage, format })
  }

  repair(storage: SimulatedStorage): void {
    repairIfNeeded(storage, this.built)
  }

  /** Throws unless the base, nobody having it open, shows what the model allows. */
  mustBeInBase(storage: SimulatedStorage, model = this.model): void {
    const base = this.openBase(storage)
    const got = base.read(0, this.common)
    const rest = base.read(this.common, base.size - this.common)
    base.close()
    const wrong = model.clone().adopt(got, 0)
    must(wrong && `the base: ${wrong}`)
    if (Buffer.compare(rest, this.rest) !== 0)
      throw new Error('the base has changed behind the end of the image')
  }

  /** The same of the image, which is open; what it shows is what the model has from then on. */
  adopt(disk: TestDisk, model = this.model): void {
    const wrong = model.adopt(disk.read(0, disk.size), 0)
    must(wrong && `the image: ${wrong}`)
  }
}
