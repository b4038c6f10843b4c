import { ImageError } from '../errors.js'
import { formatByName } from '../formats/registry.js'
import { hideCredentials } from '../storage/http/url.js'
import { type Converted, convertImage } from '../transfer/convert.js'
import type { Given } from './arguments/command.js'
import { formatOptions, optionsOf } from './arguments/format-options.js'
import { usageError } from './arguments/parse.js'
import { humanDuration } from './display/human-duration.js'
import { humanSize } from './display/human-size.js'
import { print, printJson } from './display/output.js'
import { oneLine, warn } from './display/report.js'
import { Interrupted, withProgress } from './display/transfer-display.js'
import { exitCodeOf } from './interruption.js'
import { convert } from './table/convert.js'

type Values = Given<typeof convert>['values']

export async function run({ values, operands }: Given<typeof convert>): Promise<number> {
  const [source = '', target = ''] = operands
  const { format, targetFormat, output, quiet } = values
  if (values.options.has('help') || values.options.has('?')) {
    await print(optionsOf(formatByName(targetFormat)))
    return 0
  }
  mustAgree(values)
  const begun = performance.now()
  let made: Converted
  try {
    made = await withProgress(output === 'human' && !quiet, work =>
      explainingFormat(values, source, () =>
        convertImage(source, target, {
          ...work,
          sourceFormat: format,
          format: targetFormat,
          options: formatOptions(convert, values.options),
          backing: backingOf(values),
          overwrite: values.force,
          existing: values.existing,
          backingPolicy: values.backing,
          allowDevices: values.allowDevices,
          forceShare: values.forceShare,
          threads: values.threads,
          rate: values.rate,
        }),
      ),
    )
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    process.stderr.write(`rawmount: ${oneLine(`${target}: ${error.message}; ${whatIsLeft(values)}`)}\n`)
    return exitCodeOf(error.by)
  }
  const seconds = (performance.now() - begun) / 1000
  for (const warning of made.warnings) warn(warning)
  if (output === 'json') {
    const { size, read, written } = made
    const rounded = Number(seconds.toFixed(3))
    await printJson({
      source: hideCredentials(source),
      target,
      format: targetFormat,
      size,
      read,
      written,
      seconds: rounded,
    })
  } else if (!quiet) await print(`${oneLine(forPeople(target, targetFormat, made, seconds))}\n`)
  return 0
}

function mustAgree({ existing, force, base, baseFormat, options }: Values): void {
  if (baseFormat !== null && base === null)
    throw usageError(convert, 'option -F describes a backing file: name it with -b')
  if (!existing) return
  if (force)
    throw usageError(convert, 'options --force and -n exclude each other: replace TARGET, or write into it')
  if (base !== null) throw usageError(convert, 'option -b is for a new TARGET: leave out -n')
  if (options.size > 0) throw usageError(convert, 'option -o is for a new TARGET: leave out -n')
}

function backingOf({ base, baseFormat }: Values) {
  if (base === null) return null
  return { name: base, format: baseFormat === null ? null : formatByName(baseFormat).name }
}

/** Of two or three images one is not known: which of them, and which option says what it is. */
async function explainingFormat<T>(
  { base, baseFormat }: Values,
  source: string,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'FORMAT_UNKNOWN') throw error
    if (base === null || baseFormat !== null || error.message.startsWith(`${hideCredentials(source)}: `))
      throw error
    throw new ImageError(
      'FORMAT_UNKNOWN',
      `backing file ${hideCredentials(base)}: carries no magic of a known format; if it is a raw disk, say so with -F raw`,
      { cause: error },
    )
  }
}

function whatIsLeft({ existing, force }: Values): string {
  if (existing) return 'what was written so far is there, and the rest is as before'
  return force ? 'nothing was made, and what was there before is untouched' : 'nothing was made'
}

function forPeople(target: string, format: string, { size, written }: Converted, seconds: number): string {
  const time = seconds < 10 ? `${seconds.toFixed(1)} s` : humanDuration(seconds)
  return `${target}: ${format}, a disk of ${humanSize(size)}, ${humanSize(written)} of it data, in ${time}`
}
