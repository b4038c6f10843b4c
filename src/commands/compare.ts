import { type OpenImage, type OpenImageOptions, openImage } from '../disk/open.js'
import { ImageError } from '../errors.js'
import { type Compared, compareImages } from '../transfer/compare.js'
import { CrewError } from '../transfer/crew.js'
import type { Given } from './arguments/command.js'
import { humanSizeWithBytes } from './display/human-size.js'
import { print, printJson } from './display/output.js'
import { oneLine, reportError, warn } from './display/report.js'
import { Interrupted, withProgress } from './display/transfer-display.js'
import { exitCodeOf } from './interruption.js'
import type { compare } from './table/compare.js'

/** Exit codes of `qemu-img compare`; 2 is what the table says of failures. */
const Exit = { same: 0, different: 1, mapping: 3, reading: 4 } as const

export async function run({ values, operands }: Given<typeof compare>): Promise<number> {
  const [one = '', other = ''] = operands
  const { format, secondFormat, strict, output, quiet, ...rest } = values
  const first = openImage(one, { ...choices(rest), format })
  try {
    const second = openSecond(other, { ...choices(rest), format: secondFormat })
    try {
      for (const warning of [...first.warnings, ...second.warnings]) warn(warning)
      const compared = await withProgress(output === 'human' && !quiet, work =>
        compareImages(first, second, { strict, ...work }),
      )
      if (output === 'json') await printJson(forPrograms(one, other, compared))
      else if (!quiet)
        await print(
          forPeople(one, other, compared)
            .map(line => `${oneLine(line)}\n`)
            .join(''),
        )
      return compared.same ? Exit.same : Exit.different
    } finally {
      second.close()
    }
  } catch (error) {
    if (error instanceof Interrupted) {
      process.stderr.write(`rawmount: ${error.message}, and not finished\n`)
      return exitCodeOf(error.by)
    }
    if (!(error instanceof CrewError)) throw error
    reportError(error.cause)
    return Exit[error.phase]
  } finally {
    first.close()
  }
}

/** What is said of an unknown format must name the option of this image. */
function openSecond(path: string, options: OpenImageOptions): OpenImage {
  try {
    return openImage(path, options)
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'FORMAT_UNKNOWN') throw error
    throw new ImageError('FORMAT_UNKNOWN', error.message.replace(/ --format raw$/, ' -F raw'), {
      cause: error,
    })
  }
}

function choices({
  backing,
  allowDevices,
  forceShare,
}: Pick<Given<typeof compare>['values'], 'backing' | 'allowDevices' | 'forceShare'>) {
  return { backing, allowDevices, forceShare }
}

function forPeople(one: string, other: string, compared: Compared): string[] {
  const [size, otherSize] = compared.sizes
  const sizes = `${one} has ${humanSizeWithBytes(size)}, ${other} ${humanSizeWithBytes(otherSize)}`
  if (compared.same) {
    if (size === otherSize) return ['The disks are the same.']
    return [`The disks are the same, but for zeros at the end: ${sizes}.`]
  }
  if (compared.what === 'size') return [`The disks differ in size: ${sizes}.`]
  const [byte, otherByte] = compared.bytes.map(hex)
  const [end, which] = size < otherSize ? [size, one] : [otherSize, other]
  if (compared.offset >= end)
    return [
      `The disks differ from offset ${compared.offset} on: ${which} has ended there, and the other has ${size < otherSize ? otherByte : byte}.`,
    ]
  return [
    `The disks differ from offset ${compared.offset} on: ${one} has ${byte} there, ${other} ${otherByte}.`,
    ...(size === otherSize ? [] : [`Their sizes differ, too: ${sizes}.`]),
  ]
}

/** Offset, and bytes, are null where the data does not differ. */
function forPrograms(one: string, other: string, compared: Compared): Record<string, unknown> {
  const { same, sizes, read } = compared
  const isData = !compared.same && compared.what === 'data'
  return {
    same,
    difference: compared.same ? null : compared.what,
    offset: isData ? compared.offset : null,
    read,
    first: { filename: one, 'virtual-size': sizes[0], byte: isData ? compared.bytes[0] : null },
    second: { filename: other, 'virtual-size': sizes[1], byte: isData ? compared.bytes[1] : null },
  }
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`
}
