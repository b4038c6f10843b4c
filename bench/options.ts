import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { parseSize } from '../src/sizes.js'

export interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly size: number
  readonly directory: string
  readonly only: RegExp
  readonly docs: boolean
}

export const HELP = `usage: npm run bench -- [OPTIONS]

Measures rawmount, through both transports, beside QEMU's own FUSE export of the same QED image and beside a raw file;
rawmount on FVD beside rawmount on QED and QEMU's export of qcow2; and how an image is filled from a slow base, beside
QEMU's copy-on-read and block-stream; and convert and compare beside qemu-img, of a disk four times as large. Prints tables, and writes them with all samples and charts to bench/results/. Needs
root, and a quiet machine.

  --rounds N         times that each measurement is made, contenders taking turns (default 5)
  --seconds S        length of one measurement (default 2.5)
  --size SIZE        of the full images; six such files must fit in memory and in the directory (default 1G)
  --directory DIR    where the images are made (default ${tmpdir()})
  --only REGEX       only workloads whose name matches; see --list
  --quick            2 rounds of 1 second, images of 256 MiB: to see that it works, not to quote
  --docs             put the tables and the charts into docs/ as well
  --list             name the workloads
  --help
`

/** Null when there is nothing to measure: `say` got what was asked for. Throws TypeError for what makes no sense. */
export function parseOptions(
  args: readonly string[],
  names: readonly string[],
  say: (text: string) => void,
): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      size: { type: 'string' },
      directory: { type: 'string', default: tmpdir() },
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help || values.list) {
    say(values.help ? HELP : `${names.join('\n')}\n`)
    return null
  }
  const defaults = values.quick
    ? { rounds: '2', seconds: '1', size: '256M' }
    : { rounds: '5', seconds: '2.5', size: '1G' }
  const only = new RegExp(values.only)
  if (!names.some(name => only.test(name))) {
    throw new TypeError(`--only ${values.only}: matches none of ${names.join(', ')}`)
  }
  const rounds = positive('--rounds', values.rounds ?? defaults.rounds)
  if (!Number.isInteger(rounds)) throw new TypeError(`--rounds ${rounds}: is not a whole number`)
  const size = parseSize(values.size ?? defaults.size)
  if (size < 2 ** 24 || size % 2 ** 20 !== 0)
    throw new TypeError('--size: is no multiple of 1M, or less than 16M')
  return {
    rounds,
    seconds: positive('--seconds', values.seconds ?? defaults.seconds),
    size,
    directory: values.directory,
    only,
    docs: values.docs,
  }
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < Number.POSITIVE_INFINITY))
    throw new TypeError(`${option} ${text}: is not a number above 0`)
  return value
}
