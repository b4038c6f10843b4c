/** Figures for people. Whatever is put on the page goes there as text, never as markup: names come from strangers. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** "1.5 GiB": three digits, as the commands print sizes. */
export function humanSize(bytes) {
  let unit = 0
  let value = bytes
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1024
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`
}

/** Bytes per second, in decimal megabytes, as disks and networks are sold. */
export function rate(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB/s`
  const megabytes = bytes / 1e6
  return `${megabytes.toFixed(megabytes >= 100 ? 0 : 1)} MB/s`
}

export function count(value) {
  return Math.round(value).toLocaleString('en')
}

/** Of seconds: "85 µs", "1.2 ms", "3 s". */
export function shortTime(seconds) {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(2))} ms`
  return `${Number(seconds.toPrecision(2))} s`
}

/** Of seconds: "3 h 5 min". */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60)
  if (minutes === 0) return `${Math.round(seconds)} s`
  const hours = Math.floor(minutes / 60)
  if (hours === 0) return `${minutes} min ${Math.round(seconds % 60)} s`
  const days = Math.floor(hours / 24)
  return days === 0 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`
}

/** Never 0 for something, never 100 for less than all. */
export function percent(part, whole) {
  if (whole === 0) return '0 %'
  const share = (part * 100) / whole
  if (part > 0 && share < 0.1) return '< 0.1 %'
  if (part < whole && share > 99.9) return '> 99.9 %'
  return `${share.toFixed(1)} %`
}

/** The last part of a path. */
export function baseName(path) {
  return path.replace(/\/+$/, '').split('/').pop() || path
}

export function element(name, text = '', style = '') {
  const made = document.createElement(name)
  made.textContent = text
  if (style !== '') made.className = style
  return made
}

export function byId(id) {
  return document.getElementById(id)
}
