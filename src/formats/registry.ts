import { ImageError } from '../errors.js'
import type { Format } from './format.js'
import { qed } from './qed/index.js'
import { raw } from './raw/index.js'

/** Every format, in the order in which they are probed. */
const FORMATS: readonly Format[] = [qed, raw]

/** Magics of formats that are not opened here: a file that has one must never be taken for a raw disk. */
const FOREIGN: readonly { readonly name: string; readonly at: number; readonly magic: string }[] = [
  { name: 'qcow2', at: 0, magic: 'QFI\xfb' },
  { name: 'VMDK', at: 0, magic: 'KDMV' },
  { name: 'VMDK', at: 0, magic: 'COWD' },
  { name: 'VHDX', at: 0, magic: 'vhdxfile' },
  { name: 'VHD', at: 0, magic: 'conectix' },
  { name: 'VDI', at: 64, magic: '\x7f\x10\xda\xbe' },
  { name: 'FVD', at: 0, magic: '\xa9\xf5\x43\x51' },
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

/** The format whose magic `head` carries; null when none does. Throws for magics of formats not opened here. */
export function probeFormat(head: Uint8Array, path: string): Format | null {
  const format = FORMATS.find(format => format.probe(head))
  if (format !== undefined) return format
  const foreign = FOREIGN.find(
    ({ at, magic }) => Buffer.from(head).toString('latin1', at, at + magic.length) === magic,
  )
  if (foreign === undefined) return null
  throw new ImageError(
    'FORMAT_UNSUPPORTED',
    `${path}: is a ${foreign.name} image, which rawmount does not open; convert it with qemu-img, or pass --format raw to see the file itself`,
  )
}
