import { COPY_ALL, TestCopier } from './copying.js'
import {
  type CrashChoice,
  CrashStates,
  randomChoice,
  singleChoices,
  systematicChoices,
} from './crash-states.js'
import { must, mustBeConsistent, verify } from './exercise.js'
import {
  type BuiltImage,
  buildImage,
  describeSpec,
  type ImageSpec,
  openBuilt,
  repairIfNeeded,
} from './image-chain.js'
import type { ModelDisk } from './model-disk.js'
import { describeOperation, drawOperation, type Mixture, type Operation } from './operations.js'
import { Random } from './random.js'
import { type Call, SimulatedStorage } from './simulated-storage.js'
import type { TestDisk } from './test-disk.js'

/**
 * A campaign of power cuts: a random workload runs once on simulated storage; then, for every point of its record
 * and several choices of what survived there, the files are built and must satisfy all of this:
 *
 * 1. the format's check finds at worst leaks;
 * 2. read-only they open, unchanged, and each sector shows what was last flushed or something written later;
 * 3. read-write they open (recovery), show the same, and take new writes, which a flush makes durable.
 */
export interface Campaign {
  readonly spec: ImageSpec
  readonly seed: number
  readonly operations: number
  /** Random choices per point, besides the systematic ones. */
  readonly randomChoices: number
  /** Also each single change lost, kept, and all before it lost. */
  readonly exhaustive?: boolean
  /** Meanwhile the image is filled from its base, and becomes independent of it. */
  readonly copying?: boolean
  /** Breaks the order on purpose: true for a barrier to be ignored, by its number within one flush or close, from 0. */
  readonly ignoreBarrier?: (number: number) => boolean
}

export interface CampaignResult {
  readonly states: number
  readonly failure: string | null
}

/** A kill is followed by a recovery, in the middle of which the power may go, too. */
const WORKLOAD: Mixture = { write: 10, zero: 3, flush: 3, reopen: 1, kill: 1 }
const COPYING: Mixture = { ...WORKLOAD, read: 5, copy: 12 }
const AFTERWARDS: Mixture = { write: 3, zero: 1 }

export function cutPower(campaign: Campaign): CampaignResult {
  const random = new Random(campaign.seed)
  const storage = new SimulatedStorage()
  const built = buildImage(storage, campaign.spec, random.fork(0))
  const moments = work(storage, built, campaign, random.fork(1))
  const draws = random.fork(2)
  const points = new CrashStates(storage)
  let states = 0
  do {
    const moment = moments.findLast(({ from }) => from <= points.position)!
    for (const choice of chooseAt(points, campaign, draws)) {
      const state: BuiltImage = { ...built, model: moment.model.clone() }
      states++
      try {
        survive(points.build(choice), state, draws.fork(states))
      } catch (error) {
        return { states, failure: explain(campaign, points, choice, moment, error) }
      }
    }
  } while (points.advance())
  return { states, failure: null }
}

/** From a position in the record on, what the model allows. */
interface Moment {
  readonly from: number
  readonly model: ModelDisk
  readonly doing: string
}

function work(storage: SimulatedStorage, built: BuiltImage, campaign: Campaign, random: Random): Moment[] {
  const { model, windows } = built
  storage.settle()
  let barriers = 0
  storage.interfere = ({ kind }: Call) =>
    kind === 'sync' && (campaign.ignoreBarrier?.(barriers++) ?? false) ? 'ignore' : 'proceed'
  const moments: Moment[] = [{ from: 0, model: model.clone(), doing: 'open' }]
  const note = (from: number, doing: string) => moments.push({ from, model: model.clone(), doing })

  const open = (): TestDisk => openBuilt(storage, built, true, campaign.copying ? COPY_ALL : null)
  const copierOf = ({ image }: TestDisk) => (image.copying === null ? null : new TestCopier(image))
  let disk = open()
  let copier = copierOf(disk)
  for (let number = 1; number <= campaign.operations; number++) {
    const operation: Operation = drawOperation(
      random,
      windows,
      built.spec.unit,
      campaign.copying ? COPYING : WORKLOAD,
    )
    const start = storage.record.length
    barriers = 0
    if (operation.kind === 'write') {
      disk.write(operation.offset, model.write(operation.offset, operation.length, number))
    } else if (operation.kind === 'zero') {
      disk.zero(operation.offset, operation.length)
      model.zero(operation.offset, operation.length)
    } else if (operation.kind === 'read')
      must(model.compare(disk.read(operation.offset, operation.length), operation.offset))
    else if (operation.kind === 'copy') copier?.steps(4)
    else if (operation.kind === 'flush') disk.flush()
    else if (operation.kind === 'kill') disk.drop()
    else disk.close()
    // A write may be seen as soon as its first byte is out; a flush promises something when it has returned.
    const promises = operation.kind === 'flush' || operation.kind === 'reopen'
    if (promises) model.flush()
    note(promises ? storage.record.length : start, describeOperation(operation))
    if (operation.kind === 'reopen') {
      disk = open()
      copier = copierOf(disk)
    }
    if (operation.kind === 'kill') {
      repairIfNeeded(storage, built)
      disk = open()
      copier = copierOf(disk)
      // What was not flushed is still there or not; a flush makes durable what is.
      for (const { offset, length } of model.unflushed()) must(model.adopt(disk.read(offset, length), offset))
      note(storage.record.length, 'kill, open')
    }
  }
  disk.close()
  model.flush()
  note(storage.record.length, 'close')
  return moments
}

function chooseAt(points: CrashStates, campaign: Campaign, random: Random): CrashChoice[] {
  const { pending } = points
  const choices = [...systematicChoices(pending)]
  if (pending.length === 0) return choices
  const single = singleChoices(pending)
  if (campaign.exhaustive) choices.push(...single)
  else choices.push(random.pick(single), random.pick(single))
  for (let n = 0; n < campaign.randomChoices; n++) choices.push(randomChoice(random, pending))
  return choices
}

function survive(crashed: SimulatedStorage, built: BuiltImage, random: Random): void {
  const { model, windows, spec } = built
  if (!spec.mustRepairAfterCrash) mustBeConsistent(crashed, built, true)

  const before = openBuilt(crashed, built, false)
  for (const { offset, length } of model.unflushed()) must(model.adopt(before.read(offset, length), offset))
  model.flush()
  verify(before, built)
  before.close()
  if (crashed.record.length > 0) throw new Error('a read-only open changed the files')

  repairIfNeeded(crashed, built)
  const disk = openBuilt(crashed, built, true)
  verify(disk, built)
  for (let version = 1; version <= 3; version++) {
    const operation = drawOperation(random, windows, spec.unit, AFTERWARDS)
    if (!('offset' in operation)) continue
    const { kind, offset, length } = operation
    if (kind === 'write') disk.write(offset, model.write(offset, length, 0x800000 + version))
    else {
      disk.zero(offset, length)
      model.zero(offset, length)
    }
  }
  disk.flush()
  disk.drop()
  // A second cut at once: what the flush promised is all that need survive it.
  const points = new CrashStates(crashed)
  while (points.advance());
  const again = points.build(randomChoice(random, points.pending))
  repairIfNeeded(again, built)
  mustBeConsistent(again, built, true)
  const after = openBuilt(again, built, false)
  verify(after, built)
  after.close()
}

function explain(
  campaign: Campaign,
  points: CrashStates,
  choice: CrashChoice,
  moment: Moment,
  error: unknown,
): string {
  const pending = points.pending.map((change, index) => {
    const keep = choice.keep(index, points.pending)
    const fate = typeof keep === 'function' ? 'torn' : keep ? 'kept' : 'lost'
    return `  ${fate} ${change.kind} ${change.path} ${change.offset}+${change.length}, size ${change.size}`
  })
  return [
    error instanceof Error ? error.message : `${error}`,
    `after a cut at change ${points.position} (last: ${moment.doing}), ${choice.name},`,
    `with seed ${campaign.seed} and ${campaign.operations} operations on ${describeSpec(campaign.spec)}; not yet durable:`,
    ...pending,
  ].join('\n')
}
