import test from 'ava'
import { chart } from '../../bench/report-svg.js'
import { fvd, fvdWrites, qed, reads, results } from './support/example-results.js'

/** The bars of a colour, as [left, right]. */
function bars(svg: string, color: string): [number, number][] {
  const found = svg.matchAll(
    /<rect class="bar" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="\d+" fill="(#\w+)"\/>/g,
  )
  return [...found]
    .filter(([, , , fill]) => fill === color)
    .map(([, x, width]) => [Number(x), Number(x) + Number(width)])
}

const RAWMOUNT = '#1f6feb'
const LIBFUSE = '#8bb8f8'

test('who is faster than QEMU has a bar to the right of where slower ones end', t => {
  const svg = chart({ ...results, workloads: [reads] }, qed)
  const [faster] = bars(svg, RAWMOUNT)
  const [slower] = bars(svg, LIBFUSE)
  t.is(faster![0], slower![1])
  t.true(faster![1] > faster![0])
  t.true(slower![0] < slower![1])
})

test('twice as fast is as long as half as fast', t => {
  const workload = { ...reads, samples: { qemu: [10], rawmount: [20], libfuse: [5] } }
  const svg = chart({ ...results, workloads: [workload] }, qed)
  const [faster] = bars(svg, RAWMOUNT)
  const [slower] = bars(svg, LIBFUSE)
  t.true(Math.abs(faster![1] - faster![0] - (slower![1] - slower![0])) < 0.2)
})

test('what is beyond the axis is cut, and its figure stands beside it', t => {
  const workload = { ...reads, samples: { qemu: [1], rawmount: [100_000] } }
  const svg = chart({ ...results, workloads: [workload] }, qed)
  const [bar] = bars(svg, RAWMOUNT)
  t.true(bar![1] <= 960)
  t.regex(svg, />100000 ×</)
})

test('costs are not drawn', t => {
  t.notRegex(chart(results, qed), /time to mount/)
})

test('the machine is named, its name as text and not as markup', t => {
  t.regex(chart(results, qed), /Abacus &lt;9000&gt;/)
})

/** Where targets are drawn, as [x, top]. */
function targets(svg: string): [number, number][] {
  const found = svg.matchAll(/<line x1="([\d.]+)" y1="([\d.]+)" x2="\1" y2="[\d.]+" stroke="#bc4c00"/g)
  return [...found].map(([, x, y]) => [Number(x), Number(y)])
}

test('a target stands at the bar of whom it is for, wherever its reference is', t => {
  const workload = { ...fvdWrites, targets: [{ who: 'fvd-compact', times: 0.5, of: 'raw' }] as const }
  const svg = chart({ ...results, workloads: [workload] }, fvd)
  // Half of the raw file's 8000 is what FVD compact has.
  const [compact] = bars(svg, RAWMOUNT)
  const [, drawn] = targets(svg)
  t.is(drawn![0], compact![1])
})

test('a chart has the workloads of its comparison, and bars only for who was measured', t => {
  const { raw, ...samples } = fvdWrites.samples
  const svg = chart({ ...results, workloads: [reads, { ...fvdWrites, samples }] }, fvd)
  t.notRegex(svg, /random reads/)
  t.is(svg.match(/class="bar"/g)?.length, 3)
})
