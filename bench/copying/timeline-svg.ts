import { type Machine, machineLine, versionsLine } from '../machine.js'
import { FAINT, INK, line, round, text } from '../svg.js'
import type { BootRun } from './boot.js'
import { FILLERS } from './fillers.js'
import type { CopyingResults } from './results.js'

/**
 * A chart of boots: a row for each who serves the image; to the left the first boot from a new image, to the right the
 * second, on the same scale of time. A dot is a read of the guest, as high as it took long (logarithmic); the area behind
 * is the share of the disk that the image holds.
 */

export const TIMELINE_TITLE = 'Booting from a new image over a slow base'

const WIDTH = 960
const LEFT = 214
const RIGHT = 24
const GAP = 40
const TOP = 118
const ROW = 86
const SPACE = 20
const LABEL_WIDTH = 34
const BOTTOM = 74

const DOT = '#0b4fb3'
const AREA = '#cfe3fb'
const END = '#bc4c00'
const GRID = '#d9dde2'

/** Milliseconds: the ends of the scale of latencies. What is beyond is drawn at the edge. */
const QUICKEST = 0.01
const SLOWEST = 1000
const LABELLED = [0.1, 1, 10, 100] as const

/** Null where no boots were measured. */
export function timelineChart(results: CopyingResults, machine: Machine): string | null {
  const rows = FILLERS.flatMap(({ id, label }) => {
    const runs = results.boot?.timelines[id]
    return runs === undefined ? [] : [{ label, runs }]
  })
  if (rows.length === 0) return null
  const [first, second] = [0, 1].map(index => Math.max(...rows.map(({ runs }) => endOf(runs[index]!)))) as [
    number,
    number,
  ]
  const scale = (WIDTH - LEFT - RIGHT - GAP) / (first + second)
  const columns = [
    { left: LEFT, end: first, title: 'First boot, a new image' },
    { left: LEFT + first * scale + GAP, end: second, title: 'Second boot' },
  ]
  const height = TOP + rows.length * (ROW + SPACE) + BOTTOM
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">`,
    `<title>${TIMELINE_TITLE}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(24, 32, TIMELINE_TITLE, { size: 18, weight: 600 }),
    text(24, 54, baseLine(results), { fill: FAINT }),
    ...legend(),
    ...columns.map(({ left, title }) => text(left, TOP - 12, title, { weight: 600 })),
    ...rows.flatMap(({ label, runs }, index) => {
      const top = TOP + index * (ROW + SPACE)
      return [
        text(LEFT - 50, top + 18, label, { anchor: 'end', size: 12, weight: 600 }),
        text(LEFT - 50, top + 36, `${megabytes(runs[0].base)} MB, then ${megabytes(runs[1].base)} MB`, {
          anchor: 'end',
          size: 11,
          fill: FAINT,
        }),
        text(LEFT - 50, top + 50, 'from the base', { anchor: 'end', size: 11, fill: FAINT }),
        ...latencyAxis(top),
        ...columns.flatMap(({ left, end }, run) =>
          panel(runs[run]!, {
            left,
            top,
            end,
            scale,
            size: results.size,
            storedBefore: run * lastStored(runs[0]),
          }),
        ),
      ]
    }),
    ...columns.flatMap(({ left, end }) => timeAxis(left, end, scale, height - BOTTOM - 2)),
    text(24, height - 24, machineLine(machine), { fill: FAINT, size: 11 }),
    text(24, height - 9, versionsLine(machine), { fill: FAINT, size: 11 }),
    '</svg>',
    '',
  ].join('\n')
}

interface Panel {
  readonly left: number
  readonly top: number
  /** Milliseconds. */
  readonly end: number
  /** Pixels of a millisecond. */
  readonly scale: number
  /** Of the disk, bytes. */
  readonly size: number
  /** In the image when it was mounted. */
  readonly storedBefore: number
}

function panel(run: BootRun, { left, top, end, scale, size, storedBefore }: Panel): string[] {
  const x = (milliseconds: number) => left + milliseconds * scale
  const share = (stored: number) => top + ROW * (1 - Math.min(1, (storedBefore + stored) / size))
  const drawn = [
    `<rect x="${round(left)}" y="${top}" width="${round(end * scale)}" height="${ROW}" fill="#f6f8fa"/>`,
  ]
  const points = run.growth.map(({ at, stored }) => `${round(x(at))} ${round(share(stored))}`)
  // What the image holds stays there when nobody looks any more.
  const level = round(share(lastStored(run)))
  drawn.push(
    `<path class="stored" d="M${round(left)} ${top + ROW}L${thin(points).join('L')}L${round(x(end))} ${level}V${top + ROW}Z" fill="${AREA}"/>`,
  )
  for (const milliseconds of LABELLED) {
    const y = top + latencyY(milliseconds)
    drawn.push(line(left, y, x(end), y, GRID, 0.5))
  }
  for (const at of ticks(end, scale)) drawn.push(line(x(at), top, x(at), top + ROW, GRID, 0.5))
  const dots = run.reads.map(({ at, took }) => [Math.round(x(at)), Math.round(top + latencyY(took))] as const)
  drawn.push(
    `<path class="reads" d="${dotPath(dots)}" stroke="${DOT}" stroke-width="2.2" stroke-linecap="round" stroke-opacity="0.6" fill="none"/>`,
  )
  const last = run.reads.at(-1)!
  const booted = last.at + last.took
  const beside = x(booted) + 60 > x(end) ? 'end' : 'start'
  drawn.push(
    line(x(booted), top, x(booted), top + ROW, END, 1.5),
    text(x(booted) + (beside === 'end' ? -5 : 5), top + 13, `${(booted / 1000).toFixed(1)} s`, {
      fill: END,
      size: 12,
      weight: 600,
      anchor: beside,
      halo: true,
    }),
  )
  return drawn
}

/** Each place once, and in small steps, as there are thousands. */
function dotPath(dots: readonly (readonly [number, number])[]): string {
  const places = new Map(dots.map(dot => [dot.join(), dot]))
  const sorted = [...places.values()].toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
  return sorted
    .map(([x, y], index) => {
      const [beforeX, beforeY] = sorted[index - 1] ?? [0, 0]
      return `m${x - beforeX} ${y - beforeY}h0`
    })
    .join('')
}

function lastStored({ growth }: BootRun): number {
  return growth.at(-1)?.stored ?? 0
}

/** Milliseconds until nothing happened any more. */
function endOf({ reads, complete }: BootRun): number {
  const last = reads.at(-1)!
  return Math.max(last.at + last.took, complete ?? 0) + 100
}

/** Pixels below the top of a row. */
function latencyY(milliseconds: number): number {
  const cut = Math.min(Math.max(milliseconds, QUICKEST), SLOWEST)
  return ROW * (1 - Math.log10(cut / QUICKEST) / Math.log10(SLOWEST / QUICKEST))
}

function latencyAxis(top: number): string[] {
  return LABELLED.map(milliseconds =>
    text(LEFT - 5, top + latencyY(milliseconds) + 4, `${milliseconds} ms`, {
      anchor: 'end',
      size: 10,
      fill: FAINT,
    }),
  )
}

function timeAxis(left: number, end: number, scale: number, y: number): string[] {
  return ticks(end, scale).map(at =>
    text(left + at * scale, y, `${at / 1000} s`, { anchor: 'middle', size: 11, fill: FAINT }),
  )
}

/** Milliseconds: whole seconds, as many as have room for their labels. */
function ticks(end: number, scale: number): number[] {
  const step = [1000, 2000, 5000, 10_000].find(candidate => candidate * scale >= LABEL_WIDTH) ?? 60_000
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step)
}

function legend(): string[] {
  return [
    `<circle cx="30" cy="73" r="3" fill="${DOT}"/>`,
    text(40, 77, 'a read: how long it took', { fill: INK }),
    `<rect x="222" y="67" width="14" height="12" fill="${AREA}"/>`,
    text(242, 77, 'share of the disk that the image holds', { fill: INK }),
    line(519, 66, 519, 80, END, 1.5),
    text(526, 77, 'booted, seconds after the mount began', { fill: INK }),
  ]
}

function baseLine({ size, speed, boot }: CopyingResults): string {
  const rate = `${(speed.rate ?? 0) / 1e6} MB/s`
  return `The round of the median. Base: ${size / 2 ** 20} MiB raw, ${rate}, ${speed.latency} ms latency. Trace: ${boot!.reads} reads, ${megabytes(boot!.touched)} MB, ${(boot!.think / 1000).toFixed(1)} s of work between them.`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}

/** Without points at which nothing changes. */
function thin(points: readonly string[]): string[] {
  const height = (point: string | undefined) => point?.split(' ')[1]
  return points.filter(
    (point, index) =>
      height(point) !== height(points[index - 1]) || height(point) !== height(points[index + 1]),
  )
}
