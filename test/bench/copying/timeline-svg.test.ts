import test from 'ava'
import { timelineChart } from '../../../bench/copying/timeline-svg.js'
import { results } from '../support/example-results.js'
import { bootRun, copying, MiB } from './support/example-copying.js'

const { machine } = results

/** Where the dots of each panel are, as [x, y]. */
function dots(svg: string): [number, number][][] {
  return [...svg.matchAll(/<path class="reads" d="([^"]*)"/g)].map(([, path]) => {
    let [x, y] = [0, 0]
    return [...path!.matchAll(/m(-?\d+) (-?\d+)h0/g)].map(([, byX, byY]) => {
      x += Number(byX)
      y += Number(byY)
      return [x, y]
    })
  })
}

/** The top of the area of each panel at its right end, and its bottom. */
function areas(svg: string): [number, number][] {
  const found = svg.matchAll(/<path class="stored" d="[^"]*L[\d.]+ ([\d.]+)V([\d.]+)Z"/g)
  return [...found].map(([, top, bottom]) => [Number(top), Number(bottom)])
}

test('each who was measured has a panel for its first boot and one for its second', t => {
  const svg = timelineChart(copying, machine)!
  t.deepEqual(
    dots(svg).map(panel => panel.length),
    [20, 20, 20, 15],
  )
  t.regex(svg, />rawmount, nothing</)
  t.notRegex(svg, />QEMU/)
})

test('a read that takes longer is higher, and later ones are further right', t => {
  const [panel] = dots(timelineChart(copying, machine)!)
  const [quick, slow, quickAgain] = panel!
  t.true(slow![1] < quick![1])
  t.is(quickAgain![1], quick![1])
  t.true(quick![0] < slow![0] && slow![0] < quickAgain![0])
})

test('the area is as high as the image is full, and stays so in the second boot', t => {
  const [nothing, , first, second] = areas(timelineChart(copying, machine)!)
  t.is(nothing![0], nothing![1])
  t.is(first![1] - first![0], 86)
  t.is(second![1] - second![0], 86)
})

test('everything is drawn within the picture', t => {
  const late = { ...copying.boot!, timelines: { profile: [bootRun(50, MiB), bootRun(3, MiB)] as const } }
  const svg = timelineChart({ ...copying, boot: late }, machine)!
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number) as [number, number, number]
  for (const [x, y] of dots(svg).flat()) t.true(x > 0 && x < width && y > 0 && y < height)
  t.regex(svg, /Abacus &lt;9000&gt;/)
})

test('however long it took, the seconds of the axis do not run into each other', t => {
  const boot = { ...copying.boot!, timelines: { profile: [bootRun(400, MiB), bootRun(30, 0)] as const } }
  const svg = timelineChart({ ...copying, boot }, machine)!
  const labels = [...svg.matchAll(/<text x="([\d.]+)"[^>]*>\d+ s</g)].map(([, x]) => Number(x))
  t.true(labels.length > 4)
  for (const [index, x] of labels.entries()) t.true(index === 0 || x - labels[index - 1]! >= 30)
})

test('without boots there is no chart', t => {
  t.is(timelineChart({ ...copying, boot: null }, machine), null)
})
