import type { TestFn } from 'ava'
import { errnoOf } from '../../src/errors.js'
import { errno } from '../../src/libc/errno.js'
import { Budget } from './budget.js'
import { exercise, mustBeConsistent, verify } from './exercise.js'
import { buildImage, type ImageSpec, openBuilt } from './image-chain.js'
import { drawOperation } from './operations.js'
import { Random, seeded } from './random.js'
import { SimulatedStorage } from './simulated-storage.js'

/** What a format's driver says it can do; the suite asks for no more. */
export interface Capabilities {
  /** Storage comes with the first write, so a new image is smaller than its disk. */
  readonly allocates: boolean
  /** The size may be any number of bytes, not only whole sectors. */
  readonly anySize: boolean
}

export interface DriverUnderTest {
  readonly name: string
  readonly capabilities: Capabilities
  /** Chains whose top image is the driver's, by the words that tell one from the other. */
  readonly geometries: Readonly<Record<string, ImageSpec>>
  /** Runs per geometry in the normal suite, and operations in each. */
  readonly runs?: number
  readonly operations?: number
}

/** The suite that every driver must pass, alone and in chains. Each call adds its tests to the file's. */
export function runDriverSuite(test: TestFn, driver: DriverUnderTest): void {
  const { name, capabilities, geometries, runs = 6, operations = 80 } = driver
  const specs = Object.entries(geometries)
  // Clusters of megabytes take as long as hundreds of small ones.
  const runsOf = (spec: ImageSpec) => (spec.unit >= 1 << 20 ? Math.ceil(runs / 3) : runs)
  const [, first] = specs[0]

  for (const [geometry, spec] of specs) {
    test(`${name}, ${geometry}: random operations show what the model shows`, t => {
      const random = seeded(t)
      const budget = new Budget(runsOf(spec))
      for (let n = 0; budget.next(); n++) {
        // The first run has the printed seed itself: the one to take for a failure.
        const seed = n === 0 ? random.seed : random.fork(n).seed
        const failure = exercise(spec, seed, operations)
        if (failure !== null) return t.fail(failure)
      }
      return t.pass()
    })

    test(`${name}, ${geometry}: a new image shows its base, then zeros`, t => {
      const storage = new SimulatedStorage()
      const built = buildImage(storage, spec, seeded(t))
      const disk = openBuilt(storage, built, false)
      t.is(disk.size, spec.size)
      t.notThrows(() => verify(disk, built))
      disk.close()
    })
  }

  test(`${name}: read-only, an image is not changed by a byte, and refuses writes`, t => {
    const storage = new SimulatedStorage()
    const built = buildImage(storage, first, seeded(t))
    storage.settle()
    const disk = openBuilt(storage, built, false)
    for (const act of [() => disk.write(0, new Uint8Array(512)), () => disk.zero(0, 512)]) {
      t.is(errnoOf(t.throws(act)), errno.EROFS)
    }
    disk.flush()
    verify(disk, built)
    disk.close()
    t.deepEqual(storage.record, [])
    t.deepEqual(storage.leftOpen(), [])
  })

  test(`${name}: bytes outside the disk are a RangeError, none at all are nothing`, t => {
    const storage = new SimulatedStorage()
    const built = buildImage(storage, first, seeded(t))
    const disk = openBuilt(storage, built, true)
    const { size } = disk
    t.throws(() => disk.read(size - 1, 2), { instanceOf: RangeError })
    t.throws(() => disk.write(size, new Uint8Array(1)), { instanceOf: RangeError })
    t.throws(() => disk.zero(-1, 2), { instanceOf: RangeError })
    t.throws(() => disk.read(Number.NaN, 2), { instanceOf: RangeError })
    t.is(disk.read(size, 0).length, 0)
    disk.write(size, new Uint8Array(0))
    disk.zero(0, 0)
    verify(disk, built)
    disk.close()
  })

  test(`${name}: the image is kept from a second writer while it is open, and freed by close`, t => {
    const storage = new SimulatedStorage()
    const built = buildImage(storage, first, seeded(t))
    const disk = openBuilt(storage, built, true)
    t.throws(() => openBuilt(storage, built, true), { code: 'IN_USE' })
    disk.close()
    t.notThrows(() => openBuilt(storage, built, true).close())
  })

  test(`${name}: opening and closing leaves a consistent image with the same contents`, t => {
    const storage = new SimulatedStorage()
    const built = buildImage(storage, first, seeded(t))
    for (let n = 0; n < 3; n++) openBuilt(storage, built, true).close()
    t.notThrows(() => mustBeConsistent(storage, built, false))
    const disk = openBuilt(storage, built, false)
    t.notThrows(() => verify(disk, built))
    disk.close()
  })

  if (capabilities.allocates) {
    test(`${name}: what is written twice takes storage once`, t => {
      const storage = new SimulatedStorage()
      const built = buildImage(storage, first, new Random(1))
      const disk = openBuilt(storage, built, true)
      const random = seeded(t)
      const writes = Array.from({ length: 30 }, () =>
        drawOperation(random, built.windows, first.unit, { write: 1 }),
      )
      const again = () => {
        for (const write of writes)
          if ('offset' in write) disk.write(write.offset, new Uint8Array(write.length))
        disk.flush()
        return storage.contents(built.path).size
      }
      t.is(again(), again())
      disk.close()
    })
  }

  if (capabilities.anySize) {
    test(`${name}: a disk of any number of bytes keeps its last ones`, t => {
      const seed = seeded(t).seed
      for (const size of [1, 511, 513, 70_001]) t.is(exercise({ ...first, size }, seed, 30), null)
    })
  }
}
