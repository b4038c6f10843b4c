import { showMap, watchPointer } from './cells.js'
import { draw, linear, logarithmic, SPAN } from './chart.js'
import { quantile } from './latency.js'
import { showChain, showFilling, showFolders, showHead, showState, showTiles } from './panels.js'
import { byId, rate, shortTime } from './text.js'

/** Asks for what is new each second, and shows it. What was seen before is kept here, for the charts. */

/** Milliseconds. */
const LOOK = 1000
const PATIENCE = 8000

const folder = new URLSearchParams(location.search).get('folder') ?? ''
const history = []
let before = null

async function look() {
  const signal = AbortSignal.timeout(PATIENCE)
  const response = await fetch(`data?folder=${encodeURIComponent(folder)}`, { signal, cache: 'no-store' })
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}

function show(data) {
  showState(data.state)
  if (data.status === null) return
  const now = remember(data)
  showHead(data, folder)
  showFolders(data.status)
  showTiles(
    data,
    now,
    history.some(({ errors }) => errors > 0),
  )
  showMap(data.map, data.status.chain ?? [])
  showChain(data.status)
  showFilling(data.status, now)
  showCharts(data)
}

/** What happened since the look before, per second; null at the first. */
function remember(data) {
  const { time, status, latency } = data
  const last = before
  before = data
  // Another daemon has other counters: a new mount at the same place.
  if (last === null || last.status.pid !== status.pid) return null
  const seconds = (time - last.time) / 1000
  const perSecond = figure => Math.max(0, (figure(status) - figure(last.status)) / seconds)
  const sample = {
    time,
    read: perSecond(({ bytes }) => bytes.read),
    written: perSecond(({ bytes }) => bytes.written),
    errors: perSecond(({ errors, base }) => errors + (base?.errors ?? 0)),
    requests: perSecond(({ requests: { reads, writes, syncs, others } }) => reads + writes + syncs + others),
    base: perSecond(({ base }) => base?.read ?? 0),
    readHalf: quantile(last.latency.read, latency.read, 0.5),
    readHigh: quantile(last.latency.read, latency.read, 0.99),
    writeHalf: quantile(last.latency.write, latency.write, 0.5),
    writeHigh: quantile(last.latency.write, latency.write, 0.99),
  }
  history.push(sample)
  while (time - history[0].time > SPAN * 1000) history.shift()
  return sample
}

function showCharts({ latency }) {
  const end = history.at(-1)?.time ?? 0
  const line = (style, name) => ({
    style,
    points: history.map(sample => [(end - sample.time) / 1000, sample[name]]),
  })
  const values = lines => lines.flatMap(({ points }) => points.flatMap(([, value]) => value ?? []))
  const flows = [line('read', 'read'), line('write', 'written')]
  draw(byId('throughput'), flows, linear(values(flows), rate))
  const told = latency.read !== undefined || latency.write !== undefined
  byId('no-latency').hidden = told
  byId('latency-of').hidden = !told || folder === ''
  byId('latency').toggleAttribute('hidden', !told)
  if (!told) return
  const times = [
    line('read high', 'readHigh'),
    line('write high', 'writeHigh'),
    line('read', 'readHalf'),
    line('write', 'writeHalf'),
  ]
  draw(byId('latency'), times, logarithmic(values(times), shortTime))
}

async function run() {
  for (;;) {
    const begun = performance.now()
    try {
      const data = await look()
      show(data)
      if (data.state === 'gone') return
    } catch (error) {
      console.debug(error)
      showState('lost')
    }
    await new Promise(resolve => setTimeout(resolve, Math.max(0, LOOK - (performance.now() - begun))))
  }
}

watchPointer()
run()
