import type { Format } from '../format.js'
import { check } from './check.js'
import { CREATE_OPTIONS, create } from './create.js'
import { empty } from './empty.js'
import { MAGIC } from './layout.js'
import { measure } from './measure.js'
import { attach, open } from './open.js'
import { resizing } from './resize.js'
import { checkBacking, setBacking } from './set-backing.js'

/** QEMU Enhanced Disk: a sparse image with L1 and L2 tables. @see https://www.qemu.org/docs/master/interop/qed_spec.html */
export const qed = {
  name: 'qed',
  probe: head =>
    head.length >= 4 &&
    new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0, true) === MAGIC,
  open,
  attach,
  check,
  create,
  resizing,
  empty,
  checkBacking,
  setBacking,
  measure,
  createOptions: CREATE_OPTIONS,
} satisfies Format
