import { depthColor } from './cells.js'
import { baseName, byId, count, duration, element, humanSize, percent, rate, shortTime } from './text.js'

/** Everything but map and charts. */

export function showHead({ status, mountpoint }, folder) {
  const name = status.image === undefined ? mountpoint : baseName(status.image)
  byId('name').textContent = name
  document.title = `${name} – rawmount`
  byId('crumb').hidden = folder === ''
  const about = status.image === undefined ? [`${status.images.length} images`] : imageWords(status)
  const age = (Date.now() - Date.parse(status.mounted)) / 1000
  about.push(`mounted on ${mountpoint}${folder === '' ? '' : `/${folder}`} ${duration(Math.max(0, age))} ago`)
  about.push(`process ${status.pid}`)
  byId('about').textContent = about.join(' · ')
}

function imageWords({ format, virtualSize, readOnly, overlay }) {
  const words = [format, humanSize(virtualSize)]
  if (readOnly) words.push('read-only')
  if (overlay) words.push(`overlay ${baseName(overlay)}`)
  return words
}

const STATES = { well: 'live', silent: 'no answer', gone: 'unmounted', lost: 'ended' }
const TROUBLES = {
  silent: 'The daemon of the mount does not answer. It may be busy with a base that hangs, or be dead.',
  gone: 'The mount is gone: it was unmounted. What is shown is how it was last.',
  lost: 'The dashboard has ended. What is shown is how it was last; run "rawmount dashboard" again.',
}

export function showState(state) {
  byId('state').textContent = STATES[state]
  byId('state').dataset.state = state
  byId('trouble').hidden = state === 'well'
  byId('trouble').textContent = TROUBLES[state] ?? ''
}

/** `now`: what a second of the history has; `failing`: there were errors in it. */
export function showTiles({ status, latency }, now, failing) {
  const tiles = [
    tile('read', rate(now?.read ?? 0), `${humanSize(status.bytes.read)} in all`),
    tile('written', rate(now?.written ?? 0), `${humanSize(status.bytes.written)} in all`),
    tile('requests', `${count(now?.requests ?? 0)}/s`, requestWords(status.requests)),
  ]
  if (latency.read !== undefined || latency.write !== undefined) {
    const time = value => (value == null ? '–' : shortTime(value))
    tiles.push(
      tile('latency', time(now?.readHalf ?? now?.writeHalf), 'median of a request'),
      tile('latency-high', time(now?.readHigh ?? now?.writeHigh), '99 of 100 are faster'),
    )
  }
  if (status.metadata !== undefined && !status.readOnly)
    tiles.push(
      tile(
        'pending',
        count(status.metadata.pending),
        `changes to commit, ${count(status.metadata.commits)} commits`,
      ),
    )
  const errors = status.errors + (status.base?.errors ?? 0)
  tiles.push(tile('errors', count(errors), errors === 1 ? 'error' : 'errors', failing))
  byId('tiles').replaceChildren(...tiles)
}

function requestWords({ reads, writes, syncs }) {
  return `${count(reads)} reads, ${count(writes)} writes, ${count(syncs)} syncs`
}

function tile(name, figure, what, bad = false) {
  const made = element('div', '', bad ? 'tile bad' : 'tile')
  made.dataset.name = name
  made.append(element('b', figure), element('span', NAMES[name] ? `${NAMES[name]} · ${what}` : what))
  return made
}

const NAMES = { read: 'read', written: 'written' }

export function showChain({ chain = [] }) {
  byId('chain').hidden = chain.length === 0
  const items = chain.map(({ filename, format, virtualSize, clusterSize, dataFile }, depth) => {
    const item = element('li', filename)
    const words = [
      depth === 0 ? 'the image' : depth === 1 ? 'its backing file' : `backing file ${depth} below`,
    ]
    words.push(format, humanSize(virtualSize))
    if (clusterSize !== undefined) words.push(`in pieces of ${humanSize(clusterSize)}`)
    if (dataFile !== undefined) words.push(`data in ${dataFile}`)
    item.append(element('span', words.join(' · ')))
    item.style.setProperty('--swatch', depthColor(depth))
    return item
  })
  byId('chain')
    .querySelector('ol')
    .replaceChildren(...items)
}

export function showFilling({ base = null, prefetch, copyOnRead }, now) {
  const section = byId('filling')
  section.hidden = base === null
  if (base === null) return
  const bar = section.querySelector('.bar')
  const done = base.remaining === null ? 0 : base.total - base.remaining
  const share = base.total === 0 ? 100 : (done * 100) / base.total
  bar.firstElementChild.style.width = `${share.toFixed(2)}%`
  bar.setAttribute('aria-valuenow', share.toFixed(0))
  const facts = [
    [
      'in the image',
      base.remaining === null
        ? 'being counted'
        : `${humanSize(done)} of ${humanSize(base.total)}, ${percent(done, base.total)}`,
    ],
    ['prefetch', [prefetch.state, prefetch.reason].filter(word => word !== null).join(': ')],
    ['copied by it', `${humanSize(prefetch.copied)} in ${count(prefetch.requests)} pieces`],
    ['from the base', `${rate(now?.base ?? 0)}; ${humanSize(base.read)} in all`],
    [
      'copy-on-read',
      copyOnRead.on
        ? `on; ${humanSize(copyOnRead.copied)} copied, ${humanSize(copyOnRead.queued)} waiting`
        : 'off',
    ],
    ['errors of base', count(base.errors)],
  ]
  section
    .querySelector('dl')
    .replaceChildren(...facts.flatMap(([name, value]) => [element('dt', name), element('dd', value)]))
}

export function showFolders({ images, failed = [] }) {
  const section = byId('folders')
  section.hidden = images === undefined
  if (images === undefined) return
  const rows = images.map(({ folder, image, format, virtualSize }) => {
    const row = element('tr')
    const link = element('a', folder)
    link.href = `?folder=${encodeURIComponent(folder)}`
    const cell = element('td')
    cell.append(link)
    row.append(cell, element('td', image), element('td', format), element('td', humanSize(virtualSize), 'n'))
    return row
  })
  section.querySelector('tbody').replaceChildren(...rows)
  byId('failed').replaceChildren(...failed.map(({ reason }) => element('li', `left out: ${reason}`)))
}
