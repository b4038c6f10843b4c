/** Runs in the browser, on what ScriptFacts has: shows the cell under the pointer or the cursor. */
export const PAGE_SCRIPT = `'use strict'
const facts = JSON.parse(document.getElementById('cells').textContent)
const map = document.getElementById('map')
const svg = map.querySelector('svg')
const tip = document.getElementById('tip')
const here = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
here.id = 'here'
here.setAttribute('visibility', 'hidden')
svg.append(here)
// The rows have titles for programs that read the picture aloud; here the cells are told.
for (const title of svg.querySelectorAll('#grid title')) title.remove()
let current = -1

function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let unit = 0
  for (; bytes >= 1000 && unit < 5; unit++) bytes /= 1024
  return Number(bytes.toPrecision(3)) + ' ' + units[unit]
}

function show(cell) {
  current = cell
  const start = cell * facts.span
  const end = Math.min(start + facts.span, facts.size)
  const lines = ['bytes ' + start + ' to ' + (end - 1) + ', from ' + size(start)]
  const parts = facts.cells[cell]
  for (let i = 0; i < parts.length; i += 2) lines.push(size(parts[i + 1]) + '  ' + facts.labels[parts[i]])
  tip.textContent = lines.join('\\n')
  tip.hidden = false
  const x = facts.left + (cell % facts.columns) * facts.cellWidth
  const y = facts.top + Math.floor(cell / facts.columns) * facts.rowHeight
  const box = { x: x - 0.5, y: y - 0.5, width: facts.cellWidth, height: facts.rowHeight }
  for (const name in box) here.setAttribute(name, box[name])
  here.setAttribute('visibility', 'visible')
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width
  const left = Math.min(x * scale, map.clientWidth - tip.offsetWidth - 8)
  tip.style.left = Math.max(8, left) + 'px'
  tip.style.top = (y + facts.rowHeight) * scale + 8 + 'px'
}

function hide() {
  current = -1
  tip.hidden = true
  here.setAttribute('visibility', 'hidden')
}

function cellAt(event) {
  const box = svg.getBoundingClientRect()
  const scale = svg.viewBox.baseVal.width / box.width
  const column = Math.floor(((event.clientX - box.left) * scale - facts.left) / facts.cellWidth)
  const row = Math.floor(((event.clientY - box.top) * scale - facts.top) / facts.rowHeight)
  if (column < 0 || column >= facts.columns || row < 0) return -1
  const cell = row * facts.columns + column
  return cell < facts.cells.length ? cell : -1
}

const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -facts.columns, ArrowDown: facts.columns }
function point(event) {
  const cell = cellAt(event)
  if (cell < 0) hide()
  else show(cell)
}
map.addEventListener('pointermove', point)
map.addEventListener('pointerdown', point)
map.addEventListener('pointerleave', hide)
map.addEventListener('keydown', event => {
  if (event.key === 'Escape') return hide()
  const move = MOVES[event.key]
  if (move === undefined || facts.cells.length === 0) return
  event.preventDefault()
  const next = current < 0 ? 0 : current + move
  if (next >= 0 && next < facts.cells.length) show(next)
})
`
