import test from 'ava'
import { latencyIn } from '../../src/dashboard/latency.js'

test('the histograms of reads and writes are found among the metrics', t => {
  const text = [
    '# HELP rawmount_request_duration_seconds Time of a request',
    '# TYPE rawmount_request_duration_seconds histogram',
    'rawmount_request_duration_seconds_bucket{op="read",le="0.001"}                5',
    'rawmount_request_duration_seconds_bucket{op="read",le="+Inf"} 9',
    'rawmount_request_duration_seconds_bucket{op="read",le="0.0001"} 2',
    'rawmount_request_duration_seconds_sum{op="read"} 1.5',
    'rawmount_request_duration_seconds_bucket{image="a,\\"b\\"",op="write",le="1e-3"} 1',
    'rawmount_request_duration_seconds_bucket{op="other",le="0.001"} 7',
    '',
  ].join('\n')
  t.deepEqual(latencyIn(text), {
    read: { bounds: [0.0001, 0.001, null], counts: [2, 5, 9] },
    write: { bounds: [0.001], counts: [1] },
  })
})

test('several images are added up, and metrics without histograms tell nothing', t => {
  const line = (image: string) =>
    `rawmount_request_duration_seconds_bucket{image="${image}",op="read",le="1"} 3\n`
  t.deepEqual(latencyIn(line('a') + line('b')), { read: { bounds: [1], counts: [6] } })
  t.deepEqual(latencyIn('rawmount_requests_total{op="read"} 5\nnonsense\n'), {})
  t.deepEqual(latencyIn('rawmount_request_duration_seconds_bucket{op="read",le="x"} 5'), {})
})
