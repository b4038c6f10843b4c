import { checkImage } from '../disk/check.js'
import { type OpenImage, openImage } from '../disk/open.js'
import { hideCredentials } from '../storage/http/url.js'
import { backingPath } from './arguments/backing-path.js'
import type { Given } from './arguments/command.js'
import { usageError } from './arguments/parse.js'
import { type MapEntry, mapEntries } from './display/map-entries.js'
import { pictureFacts } from './display/map-picture.js'
import { print } from './display/output.js'
import { writePicture } from './display/picture-file.js'
import { oneLine, warn } from './display/report.js'
import { map } from './table/map.js'

type Values = Given<typeof map>['values']

/** Characters that are collected before they are written. */
const BATCH = 64 * 1024

export async function run({ values, operands }: Given<typeof map>): Promise<number> {
  const [path = ''] = operands
  const { format, backing, allowDevices, forceShare, svg, html } = values
  if (svg === '-' && html === '-') throw usageError(map, '--svg and --html cannot both go to stdout')
  const draws = svg !== null || html !== null
  if (draws && values.output === 'json')
    throw usageError(map, '--output json is a list: leave out --svg and --html')
  const image = openImage(path, { format, backing, allowDevices, forceShare })
  for (const warning of image.warnings) warn(warning)
  try {
    const names = [hideCredentials(path)]
    for (const { backingName } of image.chain)
      if (backingName !== null) names.push(backingPath(names.at(-1)!, hideCredentials(backingName)))
    if (draws) await drawAll(path, image, names, values)
    else
      await printAll(
        values.output === 'json' ? forPrograms(mapEntries(image)) : forPeople(mapEntries(image), names),
      )
  } finally {
    image.close()
  }
  return 0
}

async function drawAll(
  path: string,
  image: OpenImage,
  names: readonly string[],
  values: Values,
): Promise<void> {
  const { format, allowDevices, forceShare, svg, html } = values
  const checked = checkImage(path, { format, allowDevices, forceShare })
  const facts = pictureFacts(image, names, checked)
  if (svg !== null) await writePicture(svg, (await import('../picture/svg.js')).svgPicture(facts))
  if (html !== null) await writePicture(html, (await import('../picture/html.js')).htmlPicture(facts))
}

/** A map may have millions of lines: it is written as it is found. */
async function printAll(pieces: Iterable<string>): Promise<void> {
  let batch = ''
  for (const piece of pieces) {
    batch += piece
    if (batch.length < BATCH) continue
    await print(batch)
    batch = ''
  }
  await print(batch)
}

/** QEMU's MapEntry, laid out as qemu-img does: a line for each extent. */
function* forPrograms(entries: Iterable<MapEntry>): Generator<string> {
  let before = '['
  for (const { start, length, depth, present, zero, data, offset } of entries) {
    const where = offset === null ? '' : `, "offset": ${offset}`
    yield `${before}{ "start": ${start}, "length": ${length}, "depth": ${depth}, "present": ${present}, "zero": ${zero}, "data": ${data}${where}}`
    before = ',\n'
  }
  yield before === '[' ? '[]\n' : ']\n'
}

function* forPeople(entries: Iterable<MapEntry>, names: readonly string[]): Generator<string> {
  const row = (...cells: string[]) => `${cells.map(cell => cell.padEnd(15)).join(' ')} `
  yield `${row('Offset', 'Length', 'Mapped to')}File\n`
  for (const { start, length, depth, data, offset, dataFile } of entries) {
    const place = offset === null ? 'compressed' : hex(offset)
    if (data) yield `${row(hex(start), hex(length), place)}${oneLine(dataFile ?? names[depth]!)}\n`
  }
}

function hex(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`
}
