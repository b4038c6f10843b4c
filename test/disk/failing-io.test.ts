import test from 'ava'
import { errnoOf } from '../../src/errors.js'
import { errno, errnoName } from '../../src/libc/errno.js'
import { CrashStates } from '../support/crash-states.js'
import { must, mustBeConsistent, verify } from '../support/exercise.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import { type BuiltImage, buildImage, type ImageSpec, openBuilt } from '../support/image-chain.js'
import { describeOperation, drawOperation, type Operation } from '../support/operations.js'
import { Random } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'
import type { TestDisk } from '../support/test-disk.js'

/**
 * The same workload again and again; each time another call of the storage fails, once or for a while. What must
 * hold: the operation in which it happened gets the errno; the disk goes on; nothing that a flush promised is lost, also
 * to a power cut at the end; the image is consistent, leaks apart. After a barrier that failed, every flush fails.
 */
const KIB = 1024
const SPECS: Record<string, ImageSpec> = {
  raw: rawSpec(96 * KIB),
  QED: qedSpec(9 << 20, 4 * KIB, 1, { metadataCache: 1 }),
  'QED over raw': qedSpec(160 * KIB + 512, 8 * KIB, 1, { backing: rawSpec(100 * KIB + 512) }),
  'flat FVD over raw': fvdSpec(160 * KIB + 512, { block: 1536, journal: 4 * KIB }, rawSpec(100 * KIB + 512)),
  'compact FVD over raw': fvdSpec(
    160 * KIB,
    { block: 7680, chunk: 4 * KIB, journal: 4 * KIB },
    rawSpec(100 * KIB),
  ),
  'compact FVD with a data file': fvdSpec(160 * KIB, { chunk: 8 * KIB, dataFile: true }),
}
const OPERATIONS = 28
/** Operations that a fault for a while lasts. */
const WHILE = 3

for (const [name, spec] of Object.entries(SPECS)) {
  for (const mode of ['once', 'once, half written', 'for a while'] as const) {
    test(`${name}: any call that fails ${mode} reaches the caller as errno and breaks nothing`, t => {
      const calls = new Run(spec, null).calls
      t.true(calls > 30)
      for (let nth = 1; nth <= calls; nth++) {
        const code = nth % 2 === 0 ? errno.ENOSPC : errno.EIO
        const run = new Run(spec, { nth, code, mode })
        if (run.failure === null) continue
        t.log(run.log.join('\n'))
        return t.fail(`call ${nth} of ${calls} failing with ${errnoName(code)} ${mode}: ${run.failure}`)
      }
      t.log(`${calls} calls`)
      return t.pass()
    })
  }
}

interface Injection {
  readonly nth: number
  readonly code: number
  readonly mode: 'once' | 'once, half written' | 'for a while'
}

class Run {
  /** Calls of the storage between open and close, both included. */
  readonly calls: number
  readonly failure: string | null
  readonly log: string[] = []
  private readonly storage = new SimulatedStorage()
  private readonly built: BuiltImage
  private readonly operations: Operation[]
  private syncFailed = false

  constructor(
    spec: ImageSpec,
    private readonly injection: Injection | null,
  ) {
    const random = new Random(4711)
    this.built = buildImage(this.storage, spec, random.fork(0))
    const mix = { write: 10, zero: 3, read: 3, flush: 3 }
    const draws = random.fork(1)
    this.operations = Array.from({ length: OPERATIONS }, () =>
      drawOperation(draws, this.built.windows, spec.unit, mix),
    )
    this.storage.settle()
    let failure: string | null = null
    try {
      this.run()
    } catch (error) {
      failure = error instanceof Error ? (error.stack ?? error.message) : `${error}`
    }
    this.failure = failure
    this.calls = this.storage.calls.length
  }

  private run(): void {
    const { storage, built, injection } = this
    if (injection !== null) {
      const { nth, code, mode } = injection
      const [sticky, partial] = [mode === 'for a while', mode === 'once, half written']
      storage.failNext('any', code, { nth, sticky, partial })
    }
    const disk = this.open()
    let failedAt: number | null = null
    for (const [index, operation] of this.operations.entries()) {
      if (!this.attempt(disk, operation, index + 1)) failedAt ??= index
      // When the fault has ended the disk must work again.
      if (failedAt === null || index < failedAt + (injection?.mode === 'for a while' ? WHILE : 0)) continue
      storage.clearFaults()
      this.settleDoubts(disk)
      failedAt = Number.POSITIVE_INFINITY
    }
    if (failedAt !== null && failedAt < OPERATIONS) {
      storage.clearFaults()
      this.settleDoubts(disk)
    }
    // A fault that is still to come is one of close.
    if (failedAt !== null) verify(disk, built)
    this.close(disk)
    storage.clearFaults()
    this.examine()
  }

  /** An open that fails may be tried again, and must have left nothing open. */
  private open(): TestDisk {
    const { storage, built } = this
    try {
      return openBuilt(storage, built, true)
    } catch (error) {
      this.expectInjected(error, 'open')
      if (storage.leftOpen().length > 0) throw new Error(`a failed open left open ${storage.leftOpen()}`)
      storage.clearFaults()
      // A new descriptor is told nothing of the barrier that failed, so the next open writes what it needs again.
      if (this.syncFailed) storage.settle()
      this.syncFailed = false
      return openBuilt(storage, built, true)
    }
  }

  /** False when the operation failed, with the injected errno. */
  private attempt(disk: TestDisk, operation: Operation, version: number): boolean {
    const { model } = this.built
    const text = describeOperation(operation)
    try {
      if (operation.kind === 'flush') disk.flush()
      else if (operation.kind === 'read') disk.read(operation.offset, operation.length)
      else if (operation.kind === 'write') {
        disk.write(operation.offset, model.write(operation.offset, operation.length, version))
      } else if (operation.kind === 'zero') {
        model.zero(operation.offset, operation.length)
        disk.zero(operation.offset, operation.length)
      }
    } catch (error) {
      this.expectInjected(error, text)
      return false
    }
    this.log.push(text)
    if (operation.kind === 'flush') {
      if (this.syncFailed) throw new Error('a flush succeeded after a barrier had failed')
      model.flush()
    }
    return true
  }

  private close(disk: TestDisk): void {
    try {
      disk.close()
    } catch (error) {
      this.expectInjected(error, 'close')
      return
    }
    if (this.syncFailed) throw new Error('close succeeded after a barrier had failed')
    this.built.model.flush()
  }

  private expectInjected(error: unknown, text: string): void {
    const last = this.storage.record.at(-1)
    if (last?.kind === 'failed sync') this.syncFailed = true
    if (this.injection === null || errnoOf(error) !== this.injection.code) throw error
    this.log.push(`${text}: ${error instanceof Error ? error.message : error}`)
  }

  /** What the failed operation did to its sectors is open: each shows an old content or the new one. */
  private settleDoubts(disk: TestDisk): void {
    const { model } = this.built
    for (const { offset, length } of model.unflushed()) must(model.adopt(disk.read(offset, length), offset))
  }

  /** The files as they are, and as a power cut now would leave them with nothing but what barriers covered. */
  private examine(): void {
    const { storage, built } = this
    const points = new CrashStates(storage)
    while (points.advance());
    for (const files of [storage, points.build({ name: 'all lost', keep: () => false })]) {
      const model = built.model.clone()
      mustBeConsistent(files, built, true)
      const disk = openBuilt(files, built, true)
      for (const { offset, length } of model.unflushed()) must(model.adopt(disk.read(offset, length), offset))
      verify(disk, { ...built, model })
      disk.close()
      mustBeConsistent(files, built, true)
      if (files.leftOpen().length > 0) throw new Error(`left open: ${files.leftOpen()}`)
    }
  }
}
