import type { Format } from '../format.js'
import { readNames as names } from './header.js'
import { MAGIC } from './layout.js'
import { attach, open } from './open.js'

/** QEMU's copy-on-write format, versions 2 and 3, for reading. @see docs/formats/qcow2.md */
export const qcow2 = {
  name: 'qcow2',
  // Version 1 has the same magic, and is refused by its version.
  probe: head =>
    head.length >= 4 && new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0) === MAGIC,
  open,
  names,
  attach,
  createOptions: {},
} satisfies Format
