/** Lines over time, drawn anew at each look. A sample without a value leaves a gap. */

const SVG = 'http://www.w3.org/2000/svg'
const LEFT = 62
const BOTTOM = 20
const TOP = 6

/** Seconds that a chart shows at most, and at least. */
export const SPAN = 300
const LEAST_SPAN = 60

/** From 0 to a round figure above the highest. */
export function linear(values, label) {
  const highest = Math.max(1e6, ...values)
  const power = 10 ** Math.floor(Math.log10(highest))
  const top = [1, 2, 5, 10].map(times => times * power).find(most => most >= highest)
  const at = value => value / top
  return { at, ticks: [0, top / 2, top].map(value => ({ value, text: label(value) })) }
}

/** By powers of ten around the values. */
export function logarithmic(values, label) {
  const low = Math.floor(Math.log10(Math.max(1e-6, Math.min(1e-4, ...values))))
  const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(1e-2, ...values))))
  const at = value => Math.min(1, Math.max(0, (Math.log10(value) - low) / (high - low)))
  const powers = Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step))
  return { at, ticks: powers.map(value => ({ value, text: label(value) })) }
}

/** `series`: { style, points: [seconds ago, value or null] } of each line. */
export function draw(svg, series, scale) {
  const width = svg.clientWidth
  const height = svg.clientHeight
  const oldest = Math.max(0, ...series.flatMap(({ points }) => points.map(([ago]) => ago)))
  const span = Math.min(SPAN, Math.max(LEAST_SPAN, Math.ceil(oldest / 60) * 60))
  const x = ago => LEFT + (width - LEFT) * (1 - ago / span)
  const y = value => TOP + (height - TOP - BOTTOM) * (1 - scale.at(value))
  const drawn = scale.ticks.flatMap(({ value, text }) => [
    make('line', { class: 'grid', x1: LEFT, x2: width, y1: y(value), y2: y(value) }),
    make('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' }, text),
  ])
  const step = span === LEAST_SPAN ? 15 : 60
  for (let ago = 0; ago <= span; ago += step) {
    const anchor = ago === 0 ? 'end' : ago === span ? 'start' : 'middle'
    const text = ago === 0 ? 'now' : step === 60 ? `${ago / 60} min ago` : `${ago} s ago`
    drawn.push(make('text', { x: x(ago), y: height - 4, 'text-anchor': anchor }, text))
  }
  for (const { style, points } of series) {
    let path = ''
    let broken = true
    for (const [ago, value] of points) {
      if (value === null) broken = true
      else {
        path += `${broken ? 'M' : 'L'}${x(ago).toFixed(1)} ${y(value).toFixed(1)}`
        // A point by itself is a dot.
        if (broken) path += 'h0.1'
        broken = false
      }
    }
    if (path !== '') drawn.push(make('path', { class: style, d: path, 'stroke-linecap': 'round' }))
  }
  svg.replaceChildren(...drawn)
}

function make(name, attributes, text = '') {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}
