import test from 'ava'
import { PrefetchProgress } from '../../src/copy/prefetch-progress.js'
import type { CopyProgressDescription, PrefetchState } from '../../src/copy/status.js'
import { Throttle } from '../../src/copy/throttle.js'
import { type CopyingDescription, Sum } from '../../src/disk/copying.js'
import type { Disk } from '../../src/disk/disk.js'
import { DEFAULT_COPY_SETTINGS } from '../../src/formats/copy-settings.js'
import { Counter, Counters, createCounters } from '../../src/fuse/counters.js'
import type { ImageFacts } from '../../src/mount/status/image-status.js'
import {
  imageStatus,
  type MountFacts,
  type MountStatus,
  renderStatus,
} from '../../src/mount/status/status.js'
import { FetchRing } from '../../src/shared/fetch-ring.js'
import { Gate } from '../../src/shared/gate.js'
import { RangeLock } from '../../src/shared/range-lock.js'
import { Tally } from '../../src/shared/tally.js'

const MOUNT = { pid: 7 } as MountFacts

const IMAGE = { image: '/a: 1', chain: [{ format: 'raw', virtualSize: 512 }] } as unknown as ImageFacts

const DISK = { pending: () => 0, commits: 0, baseWriter: null } as unknown as Disk

function statusText(
  disk: Disk,
  counters: SharedArrayBuffer,
  copying: CopyProgressDescription | null,
): string {
  return renderStatus(imageStatus(MOUNT, IMAGE, disk, counters, copying))
}

test('the status has the same length whatever it counts, so that its size is true until it is read', t => {
  const counters = createCounters(1)
  const text = (pending: number) =>
    statusText({ pending: () => pending, commits: 0, baseWriter: null } as unknown as Disk, counters, null)
  const before = text(9)
  new Counters(counters, 0).add(Counter.bytesRead, Number.MAX_SAFE_INTEGER)
  const after = text(12_345)
  t.is(after.length, before.length)
  t.is(JSON.parse(after).metadata.pending, 12_345)
  t.is(JSON.parse(after).bytes.read, Number.MAX_SAFE_INTEGER)
  t.is(JSON.parse(after).image, '/a: 1')
})

/** Of an image on a base of 1 MiB, of which nothing was counted or copied yet. */
function copying(): CopyProgressDescription {
  const tally = Tally.allocate(Sum.length)
  new Tally(tally).set(Sum.counted, -1)
  const description: CopyingDescription = {
    keeps: true,
    covered: 1 << 20,
    ring: FetchRing.allocate(0),
    fetches: RangeLock.allocate(),
    tally,
    activity: new SharedArrayBuffer(64),
    gate: Gate.allocate(),
  } as CopyingDescription
  return {
    copying: description,
    settings: DEFAULT_COPY_SETTINGS,
    progress: PrefetchProgress.allocate(),
    throttle: Throttle.allocate(),
  }
}

test('the status has the same length in each state of copying, whatever the reason of a pause', t => {
  const counters = createCounters(1)
  const description = copying()
  const prefetch = new PrefetchProgress(description.progress)
  const tally = new Tally(description.copying.tally)
  const look = () => {
    const text = statusText(DISK, counters, description)
    return { bytes: Buffer.byteLength(text), status: JSON.parse(text) as MountStatus }
  }
  const { bytes, status } = look()
  t.like(status, { prefetch: { state: 'off', reason: null }, base: { remaining: null, total: 1 << 20 } })
  tally.set(Sum.counted, 700_000)
  tally.set(Sum.prefetched, 100_000)
  for (const [state, reason] of [
    ['waiting', 'starts 30 s after the mount'],
    ['running', null],
    ['paused', 'the base gives less than 5 MiB/s: others are using it'],
    ['paused', `/${'long/'.repeat(200)}: EIO`],
    ['paused', `/${'\u0001"\\ü🙂'.repeat(80)}: EIO`],
    ['done', null],
  ] as [PrefetchState, string | null][]) {
    prefetch.enter(state, reason)
    const now = look()
    t.is(now.bytes, bytes, `${state} ${reason}`)
    t.is(now.status.prefetch.state, state)
    t.is(now.status.base!.remaining, 600_000)
    if (reason === null || reason.length < 100) t.is(now.status.prefetch.reason, reason)
  }
})

test('a reason that is too long for the status loses its middle, not its end', t => {
  const description = copying()
  new PrefetchProgress(description.progress).enter('paused', `/first/${'deep/'.repeat(150)}: EIO; again`)
  const { prefetch } = JSON.parse(statusText(DISK, createCounters(1), description)) as MountStatus
  t.regex(prefetch.reason!, /^\/first\/deep.*….*deep\/: EIO; again$/)
  t.true(prefetch.reason!.length > 300)
})

test('a mount that copies nothing says so', t => {
  const status = JSON.parse(statusText(DISK, createCounters(1), null)) as MountStatus
  t.like(status, {
    prefetch: { state: 'off', reason: null, copied: 0 },
    copyOnRead: { on: false, copied: 0 },
    base: null,
  })
})
