import { baseName, byId, element, humanSize, percent } from './text.js'

/**
 * The map of the disk: an element for each cell, coloured in the proportion of what it holds. What map.json says of a cell
 * is a character for each kind, from 0, none, to z, all of it.
 */

const ALL = 35
let shown = []
let last = null

/** Colours of the kinds, in their order. */
function colors(kinds) {
  return kinds.map((kind, index) => {
    if (kind === 'zero') return 'var(--z)'
    if (kind === 'unallocated') return 'var(--u)'
    return depthColor(index)
  })
}

/** Deep chains use the colours of the bases again. */
export function depthColor(depth) {
  return depth === 0 ? 'var(--d0)' : `var(--d${((depth - 1) % 4) + 1})`
}

export function showMap(map, chain) {
  const section = byId('map')
  section.hidden = map === null
  if (map === null) return
  const labels = map.kinds.map((kind, index) => {
    if (kind === 'zero') return 'zeros'
    if (kind === 'unallocated') return 'never written'
    return `in ${baseName(chain[index]?.filename ?? kind)}`
  })
  last = { map, labels }
  const palette = colors(map.kinds)
  showCells(map, palette)
  showLegend(map, labels, palette)
  const known = map.bytes.reduce((sum, bytes) => sum + bytes, 0)
  byId('map-about').textContent =
    `${map.cells.length} cells of ${humanSize(map.cellSize)}` +
    (known < map.virtualSize ? `; ${percent(known, map.virtualSize)} looked at so far` : '')
}

function showCells(map, palette) {
  const grid = byId('cells')
  if (grid.childElementCount !== map.cells.length) {
    grid.replaceChildren(...map.cells.map(() => element('i', '', 'cell')))
    shown = []
  }
  map.cells.forEach((figures, index) => {
    if (shown[index] === figures) return
    shown[index] = figures
    const cell = grid.children[index]
    cell.dataset.kinds = figures
    cell.style.background = background(figures, palette)
  })
}

function background(figures, palette) {
  const shares = [...figures].map(figure => Number.parseInt(figure, 36))
  const total = shares.reduce((sum, share) => sum + share, 0)
  if (total === 0) return ''
  const parts = shares.flatMap((share, index) => (share === 0 ? [] : [{ share, color: palette[index] }]))
  if (parts.length === 1) return parts[0].color
  let at = 0
  const stops = parts.map(({ share, color }) => {
    const start = at
    at += share
    return `${color} ${((start * 100) / total).toFixed(0)}% ${((at * 100) / total).toFixed(0)}%`
  })
  return `linear-gradient(90deg, ${stops.join(', ')})`
}

function showLegend(map, labels, palette) {
  const said = []
  const items = labels.flatMap((label, index) => {
    const bytes = map.bytes[index]
    if (bytes === 0) return []
    const share = percent(bytes, map.virtualSize)
    said.push(`${label}: ${humanSize(bytes)}, ${share}`)
    const item = element('li')
    const swatch = element('i', '', 'swatch')
    swatch.style.background = palette[index]
    item.append(swatch, label, element('span', `${humanSize(bytes)}, ${share}`))
    return [item]
  })
  byId('legend').replaceChildren(...items)
  byId('cells').setAttribute('aria-label', `Map of the disk. ${said.join('; ')}`)
}

/** What a cell holds, beside it. */
export function watchPointer() {
  const grid = byId('cells')
  const tip = byId('tip')
  grid.addEventListener('pointermove', ({ target }) => {
    const index = [...grid.children].indexOf(target)
    tip.hidden = index < 0 || last === null
    if (tip.hidden) return
    const { map, labels } = last
    const start = index * map.cellSize
    const end = Math.min(start + map.cellSize, map.virtualSize)
    const parts = [...map.cells[index]].flatMap((figure, kind) => {
      const share = Number.parseInt(figure, 36) / ALL
      return share === 0
        ? []
        : [`${share === 1 ? 'all' : `about ${Math.round(share * 100)} %`} ${labels[kind]}`]
    })
    const what = parts.length === 0 ? ['not looked at yet'] : parts
    tip.textContent = [`${humanSize(start)} to ${humanSize(end)}`, ...what].join('\n')
    const room = tip.parentElement.clientWidth - tip.offsetWidth - 12
    tip.style.left = `${Math.max(12, Math.min(target.offsetLeft, room))}px`
    tip.style.top = `${target.offsetTop + target.offsetHeight + 6}px`
  })
  grid.addEventListener('pointerleave', () => {
    tip.hidden = true
  })
}
