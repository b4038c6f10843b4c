import { ImageError } from '../errors.js'
import type { Format } from './format.js'
import { fvd } from './fvd/index.js'
import { qcow2 } from './qcow2/index.js'
import { qed } from './qed/index.js'
import { raw } from './raw/index.js'

/** Every format, in the order in which they are probed. */
const FORMATS: readonly Format[] = [fvd, qcow2, qed, raw]

/** Magics of formats that are not opened here: a file that has one must never be taken for a raw disk. */
const FOREIGN: readonly { readonly name: string; readonly at: number; readonly magic: string }[] = [
  { name: 'VMDK', at: 0, magic: 'KDMV' },
  { name: 'VMDK', at: 0, magic: 'COWD' },
  { name: 'VHDX', at: 0, magic: 'vhdxfile' },
  { name: 'VHD', at: 0, magic: 'conectix' },
  { name: 'VDI', at: 64, magic: '\x7f\x10\xda\xbe' },
  { name: 'Parallels', at: 0, magic: 'WithoutFreeSpace' },
]

export function formatNames(): string[] {
  return FORMATS.map(format => format.name)
}

/** Throws ImageError FORMAT_UNKNOWN for a name that is none of ours. */
export function formatByName(name: string): Format {
  const format = FORMATS.find(format => format.name === name)
  if (format === undefined) {
    throw new ImageError(
      'FORMAT_UNKNOWN',
      `format '${name}' is unknown; choose one of ${formatNames().join(', ')}`,
    )
  }
  return format
}

/** The format opened here whose magic `head` carries; null when none does. */
export function probeOwnFormat(head: Uint8Array): Format | null {
  return FORMATS.find(format => format.probe(head)) ?? null
}

/** Whether `head` carries a magic of a format that is not opened here. */
export function isForeign(head: Uint8Array): boolean {
  return foreignFormat(head) !== undefined
}

/** The format whose magic `head` carries; null when none does. Throws for magics of formats not opened here. */
export function probeFormat(head: Uint8Array, path: string): Format | null {
  const format = probeOwnFormat(head)
  if (format !== null) return format
  const foreign = foreignFormat(head)
  if (foreign === undefined) return null
  throw new ImageError(
    'FORMAT_UNSUPPORTED',
    `${path}: is a ${foreign.name} image, which rawmount does not open; convert it with qemu-img, or pass --format raw to see the file itself`,
  )
}

function foreignFormat(head: Uint8Array) {
  return FOREIGN.find(
    ({ at, magic }) => Buffer.from(head).toString('latin1', at, at + magic.length) === magic,
  )
}
