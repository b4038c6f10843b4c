import type { CopyProgressDescription } from '../../copy/status.js'
import type { Disk } from '../../disk/disk.js'
import { sumCounters, type Totals } from '../../fuse/counters.js'
import type { Exposition, Labels, Sample } from './exposition.js'
import { type ImageFacts, type ImageProgress, imageProgress } from './image-status.js'

/** What the metrics of an image are made of. */
export interface ImageSource {
  readonly name: string
  readonly facts: ImageFacts
  readonly disk: Disk
  /** Of the image, or of the mount where it is the only one. */
  readonly counters: SharedArrayBuffer
  /** How often the disk is open. */
  readonly openHandles: () => number
  readonly copying: CopyProgressDescription | null
}

/** One image, as of now. */
interface Look {
  readonly labels: Labels
  readonly source: ImageSource
  readonly totals: Totals
  readonly progress: ImageProgress
}

const STATES = ['off', 'waiting', 'running', 'paused', 'done'] as const

/** Adds the metrics of images; what does not apply to an image is left out. */
export function imageMetrics(text: Exposition, images: readonly ImageSource[]): void {
  const looks = images.map(source => ({
    labels: { image: source.name },
    source,
    totals: sumCounters(source.counters),
    progress: imageProgress(source.disk, source.copying),
  }))
  const each = (value: (look: Look) => number, among: readonly Look[] = looks): Sample[] =>
    among.map(look => [look.labels, value(look)])

  text.gauge(
    'rawmount_image_info',
    'What an image is; the value is always 1.',
    looks.map(({ labels, source: { facts } }) => {
      const { image: path, format, readOnly, overlay } = facts
      return [{ ...labels, path, format, read_only: `${readOnly}`, overlay: overlay ?? '' }, 1]
    }),
  )
  text.gauge(
    'rawmount_image_size_bytes',
    'Size of the disk.',
    each(({ source }) => source.facts.virtualSize),
  )
  text.gauge(
    'rawmount_image_open_handles',
    'How often the disk is open.',
    each(({ source }) => source.openHandles()),
  )
  text.counter(
    'rawmount_image_requests_total',
    'Requests for the disk.',
    looks.flatMap(({ labels, totals: { reads, writes, syncs, others } }): Sample[] => [
      [{ ...labels, op: 'read' }, reads],
      [{ ...labels, op: 'write' }, writes],
      [{ ...labels, op: 'sync' }, syncs],
      [{ ...labels, op: 'other' }, others],
    ]),
  )
  text.counter(
    'rawmount_image_request_errors_total',
    'Requests that failed.',
    each(({ totals }) => totals.errors),
  )
  text.counter(
    'rawmount_image_read_bytes_total',
    'Bytes read of the disk.',
    each(({ totals }) => totals.bytesRead),
  )
  text.counter(
    'rawmount_image_written_bytes_total',
    'Bytes written to the disk.',
    each(({ totals }) => totals.bytesWritten),
  )
  ofMetadata(text, looks)
  ofBase(
    text,
    looks.filter(({ progress }) => progress.base !== null),
    each,
  )
  const writing = looks.filter(({ progress }) => progress.baseWrites !== null)
  text.gauge(
    'rawmount_image_base_behind_bytes',
    'Bytes written to the disk that the base has still to get.',
    each(({ progress }) => progress.baseWrites!.behind, writing),
  )
  text.gauge(
    'rawmount_image_base_write_errno',
    'Why the base does not get them; 0 while nothing is wrong.',
    each(({ progress }) => progress.baseWrites!.errno, writing),
  )
}

function ofMetadata(text: Exposition, looks: readonly Look[]): void {
  const writable = looks.filter(({ source }) => source.disk.writable)
  text.gauge(
    'rawmount_image_pending_changes',
    'Changes of tables that the next commit brings to the image.',
    writable.map(({ labels, progress }) => [labels, progress.metadata.pending]),
  )
  text.summary(
    'rawmount_image_commit_duration_seconds',
    'Commits, and the time they took.',
    writable.map(({ labels, source: { disk } }) => [labels, disk.commits, disk.commitSeconds]),
  )
}

/** Of images that are filled from their base. */
function ofBase(
  text: Exposition,
  looks: readonly Look[],
  each: (value: (look: Look) => number, among: readonly Look[]) => Sample[],
): void {
  text.gauge(
    'rawmount_image_prefetch_state',
    'Whether prefetching is in that state.',
    looks.flatMap(({ labels, progress }) =>
      STATES.map((state): Sample => [{ ...labels, state }, Number(progress.prefetch.state === state)]),
    ),
  )
  const numbers: [name: string, help: string, kind: 'counter' | 'gauge', value: (look: Look) => number][] = [
    [
      'prefetch_copied_bytes_total',
      'Bytes that prefetching stored in the image.',
      'counter',
      of => of.progress.prefetch.copied,
    ],
    [
      'prefetch_read_bytes_per_second',
      'What the base gives while it is asked.',
      'gauge',
      of => of.progress.prefetch.readRate,
    ],
    [
      'prefetch_write_bytes_per_second',
      'What the image takes while it is written.',
      'gauge',
      of => of.progress.prefetch.writeRate,
    ],
    [
      'copy_on_read_copied_bytes_total',
      'Bytes stored because somebody read them.',
      'counter',
      of => of.progress.copyOnRead.copied,
    ],
    [
      'copy_on_read_skipped_bytes_total',
      'Bytes read that there was no room to keep.',
      'counter',
      of => of.progress.copyOnRead.skipped,
    ],
    [
      'copy_on_read_queued_bytes',
      'Bytes read that wait to be stored.',
      'gauge',
      of => of.progress.copyOnRead.queued,
    ],
    ['base_size_bytes', 'Bytes of the disk that the base covers.', 'gauge', of => of.progress.base!.total],
    [
      'base_remaining_bytes',
      'Bytes still in the base; NaN while they are being counted.',
      'gauge',
      of => of.progress.base!.remaining ?? Number.NaN,
    ],
    ['base_read_bytes_total', 'Bytes read from the base.', 'counter', of => of.progress.base!.read],
    ['base_reads_total', 'Reads from the base.', 'counter', of => of.progress.base!.requests],
    ['base_read_errors_total', 'Reads from the base that failed.', 'counter', of => of.progress.base!.errors],
  ]
  for (const [name, help, kind, value] of numbers)
    text[kind](`rawmount_image_${name}`, help, each(value, looks))
}
