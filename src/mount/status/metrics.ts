import { latenciesOf, sumCounters } from '../../fuse/counters.js'
import { KINDS, Kind, upperBound } from '../../fuse/latencies.js'
import { version } from '../../version.js'
import { Exposition, type Labels, type Sample } from './exposition.js'
import { type ImageSource, imageMetrics } from './image-metrics.js'
import type { MountFacts } from './status.js'

/** What metrics are made of. */
export interface MetricsSource {
  readonly mount: MountFacts
  /** Of the whole mount; null where the metrics are those of one of its images. */
  readonly counters: SharedArrayBuffer | null
  readonly images: readonly ImageSource[]
  /** Images that could not be opened. */
  readonly failed: number
}

/** The text of .rawmount/metrics, as of now. */
export function renderMetrics({ mount, counters, images, failed }: MetricsSource): string {
  const text = new Exposition()
  const { mountpoint, transport, cache, threads, mounted } = mount
  const alone = (value: number): Sample[] => [[{}, value]]
  text.gauge('rawmount_info', 'What serves the mount; the value is always 1.', [
    [{ version: version(), mountpoint, transport, cache }, 1],
  ])
  text.gauge('rawmount_up', 'Whether the mount is served: 1, as who reads this is.', alone(1))
  text.gauge('rawmount_mounted_timestamp_seconds', 'When it was mounted.', alone(Date.parse(mounted) / 1000))
  if (counters !== null) {
    text.gauge('rawmount_threads', 'Threads that serve requests, as asked for.', alone(threads))
    text.gauge('rawmount_images', 'Images that are served.', alone(images.length))
    text.gauge('rawmount_images_failed', 'Images that could not be opened.', alone(failed))
    ofRequests(text, counters)
  }
  imageMetrics(text, images)
  ofProcess(text)
  return text.text()
}

function ofRequests(text: Exposition, counters: SharedArrayBuffer): void {
  const { reads, writes, syncs, others, bytesRead, bytesWritten, errors } = sumCounters(counters)
  const counts: Record<keyof typeof Kind, number> = { read: reads, write: writes, sync: syncs, other: others }
  const labels = (op: string): Labels => ({ op })
  text.counter(
    'rawmount_requests_total',
    'Requests that the kernel made.',
    KINDS.map(op => [labels(op), counts[op]]),
  )
  text.counter('rawmount_request_errors_total', 'Requests that were answered with an error.', [[{}, errors]])
  text.counter('rawmount_read_bytes_total', 'Bytes read by requests.', [[{}, bytesRead]])
  text.counter('rawmount_written_bytes_total', 'Bytes written by requests.', [[{}, bytesWritten]])
  text.histogram(
    'rawmount_request_duration_seconds',
    'Time from the arrival of a request to its answer; of reads and writes one in eight is timed.',
    KINDS.map(op => {
      const { buckets, seconds } = latenciesOf(counters, Kind[op])
      return {
        labels: labels(op),
        bounds: buckets.map((_, bucket) => upperBound(bucket)),
        counts: buckets,
        sum: seconds,
      }
    }),
  )
}

/** Under the names that Prometheus has for every program. */
function ofProcess(text: Exposition): void {
  const { user, system } = process.cpuUsage()
  text.counter('process_cpu_seconds_total', 'Processor time that the daemon has had.', [
    [{}, (user + system) / 1e6],
  ])
  text.gauge('process_resident_memory_bytes', 'Memory of the daemon.', [[{}, process.memoryUsage.rss()]])
}
