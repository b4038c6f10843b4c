import test from 'ava'
import { checkImage } from '../../../src/disk/check.js'
import type { CheckReport, Repair } from '../../../src/formats/format.js'
import { CrashStates, randomChoice, singleChoices, systematicChoices } from '../../support/crash-states.js'
import { Random, seeded } from '../../support/random.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'
import { At, fill, header64, isClean, makeFvd, openFvd, PATH, poke } from './images.js'

/**
 * Power cuts in the middle of a repair. In every state of the files that one can leave:
 *
 * 1. a check finds no more than before the repair, and the repair can be done again, with the same outcome;
 * 2. an image that only leaked, or was not closed, opens as it is and shows what it showed;
 * 3. an image that is clean and without fault stays so when its old records are replayed: someone else may open it,
 *    and crash.
 */
const CHUNK = 4096
const CHUNKS = 300
const TABLE_RECORD = 0xb4e6f7ac
const EMPTY = 0xffffffff

interface Scenario {
  readonly options?: Readonly<Record<string, string | number>>
  readonly baseSize?: number
  readonly repair: Repair
  readonly inflict: (storage: SimulatedStorage) => void
}

function crash(storage: SimulatedStorage, ...words: number[]): void {
  poke(storage, At.cleanShutdown, 0)
  poke(storage, header64(storage, At.journalOffset) + 1024, ...words)
}

const SCENARIOS: Record<string, Scenario> = {
  'a crashed image with leaks': {
    repair: 'leaks',
    inflict(storage) {
      const disk = openFvd(storage)
      disk.write(150 * CHUNK, fill(40 * CHUNK, 8))
      disk.flush()
      disk.drop()
      poke(storage, entryAt(storage, 1), EMPTY, EMPTY)
    },
  },
  'a crashed image over a base': {
    options: { block_size: 512 },
    baseSize: 200 * CHUNK,
    repair: 'all',
    inflict(storage) {
      const disk = openFvd(storage)
      disk.write(10 * CHUNK + 512, fill(1024, 8))
      disk.flush()
      disk.write(150 * CHUNK, fill(20 * CHUNK, 8))
      disk.flush()
      disk.drop()
    },
  },
  'impossible entries, which old records have too': {
    repair: 'all',
    inflict(storage) {
      poke(storage, header64(storage, At.journalOffset), TABLE_RECORD, 4, 1, 0)
      poke(storage, entryAt(storage, 4), 0)
      poke(storage, entryAt(storage, 200), 0, 5000)
    },
  },
  'impossible records': {
    repair: 'all',
    inflict: storage => crash(storage, TABLE_RECORD, 140, 2, 0, 6000, TABLE_RECORD, 250, 1, 3),
  },
  'no journal, not closed': {
    options: { journal_size: 0 },
    repair: 'all',
    inflict: storage => poke(storage, At.cleanShutdown, 0),
  },
  'leaks in a data file': {
    options: { data_file: 'data.raw' },
    repair: 'leaks',
    inflict: storage => poke(storage, entryAt(storage, 1), EMPTY, EMPTY),
  },
  'a file that was cut off': {
    repair: 'all',
    inflict: storage => storage.contents(PATH).truncate(storage.contents(PATH).size - 3 * CHUNK - 512),
  },
}

for (const [what, scenario] of Object.entries(SCENARIOS)) {
  test(`${what}: a power cut during the repair leaves nothing that was not there`, t => {
    const { states, failure } = cutPower(scenario, seeded(t))
    t.is(failure, null)
    t.log(`${states} states`)
  })
}

/** By the number of the barrier within the repair. */
const NEEDED = [
  { what: 'impossible entries, which old records have too', barrier: 0 },
  { what: 'a crashed image with leaks', barrier: 1 },
  { what: 'a crashed image over a base', barrier: 2 },
  { what: 'impossible records', barrier: 2 },
]

for (const { what, barrier } of NEEDED) {
  test(`${what}: without barrier ${barrier} of the repair a power cut does harm, which these tests see`, t => {
    t.not(cutPower(SCENARIOS[what]!, new Random(1), barrier).failure, null)
  })
}

function cutPower(
  { options, baseSize, repair, inflict }: Scenario,
  random: Random,
  ignoredBarrier = -1,
): { states: number; failure: string | null } {
  const storage = makeFvd({
    size: CHUNKS * CHUNK,
    options: {
      compact_image: 'on',
      chunk_size: CHUNK,
      storage_grow_unit: CHUNK,
      journal_size: 8192,
      ...options,
    },
    ...(baseSize !== undefined && { baseSize }),
  })
  const disk = openFvd(storage)
  for (let chunk = 0; chunk < 140; chunk++) disk.write(chunk * CHUNK, fill(CHUNK, 1 + (chunk % 7)))
  disk.close()
  inflict(storage)
  const found = check(copyOf(storage))
  const shown = found.corruptions === 0 ? contents(copyOf(storage), false) : null
  const whole = copyOf(storage)
  check(whole, repair)
  const mended = contents(whole, false)

  storage.settle()
  let barriers = 0
  storage.interfere = ({ kind }) => (kind === 'sync' && barriers++ === ignoredBarrier ? 'ignore' : 'proceed')
  check(storage, repair)

  const points = new CrashStates(storage)
  let states = 0
  do {
    const { pending } = points
    const choices = [...systematicChoices(pending), ...singleChoices(pending)]
    if (pending.length > 0) for (let n = 0; n < 12; n++) choices.push(randomChoice(random, pending))
    for (const choice of choices) {
      states++
      const failure = judge(points.build(choice), repair, found, shown, mended)
      if (failure !== null)
        return { states, failure: `change ${points.position}, ${choice.name}: ${failure}` }
    }
  } while (points.advance())
  return { states, failure: null }
}

/** What is wrong with a state; null when nothing is. */
function judge(
  state: SimulatedStorage,
  repair: Repair,
  found: CheckReport,
  shown: Uint8Array | null,
  mended: Uint8Array,
): string | null {
  const now = check(copyOf(state))
  if (now.errors > 0 || now.corruptions > found.corruptions || now.leaks > found.leaks) {
    return `a check finds ${now.findings.join('; ')}`
  }
  if (shown !== null) {
    if (!equal(contents(copyOf(state), false), shown)) return 'read-only, it shows something else'
    if (!equal(contents(copyOf(state), true), shown)) return 'opened for writing, it shows something else'
  }
  if (now.corruptions === 0 && isClean(state)) {
    const replayed = copyOf(state)
    poke(replayed, At.cleanShutdown, 0)
    if (header64(state, At.journalSize) > 0 && check(replayed).corruptions > 0)
      return 'an old record can come back'
  }
  check(state, repair)
  const left = check(copyOf(state))
  if (left.corruptions > 0) return `repaired again, a check finds ${left.findings.join('; ')}`
  return equal(contents(state, true), mended) ? null : 'repaired again, it shows something else'
}

function check(storage: SimulatedStorage, repair: Repair = 'none'): CheckReport {
  return checkImage(PATH, { host: storage, repair }).report!
}

function contents(storage: SimulatedStorage, writable: boolean): Uint8Array {
  const disk = openFvd(storage, writable)
  const bytes = disk.read(0, disk.size)
  disk.close()
  return bytes
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

function entryAt(storage: SimulatedStorage, chunk: number): number {
  return header64(storage, At.tableOffset) + chunk * 4
}

function copyOf(storage: SimulatedStorage): SimulatedStorage {
  const copy = new SimulatedStorage()
  for (const path of [PATH, '/images/base.raw', '/images/data.raw'])
    if (storage.has(path)) copy.addFile(path, storage.contents(path).clone())
  copy.settle()
  return copy
}
