import type { Format } from '../format.js'
import { check } from './check.js'
import { CREATE_OPTIONS, create } from './create.js'
import { empty } from './empty.js'
import { readHeader } from './header.js'
import { MAGIC } from './layout.js'
import { measure } from './measure.js'
import { attach, inspect, names, open } from './open.js'
import { profileOf } from './profile.js'
import { resizing } from './resize.js'
import { checkBacking, setBacking } from './set-backing.js'
import { updatable, update } from './update.js'

/** Fast Virtual Disk: bitmap, chunk table and journal, for images that copy from a base. @see docs/formats/fvd.md */
export const fvd = {
  name: 'fvd',
  probe: head =>
    head.length >= 4 &&
    new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0, true) === MAGIC,
  open,
  inspect,
  names,
  profile: file => profileOf(file, readHeader(file)),
  attach,
  check,
  create,
  empty,
  checkBacking,
  setBacking,
  measure,
  update,
  updatable,
  resizing,
  createOptions: CREATE_OPTIONS,
} satisfies Format
