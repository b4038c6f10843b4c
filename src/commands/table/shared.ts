import { choice, flag, text } from '../arguments/options.js'

/** Options that several commands have. */

export const format = (what: string) => text('f,format', 'FORMAT', null, what)
export const output = choice(
  'output',
  'HOW',
  ['human', 'json'],
  'human',
  'print for people, or as JSON for programs',
)
export const backing = choice(
  'backing',
  'POLICY',
  ['follow', 'same-dir', 'deny'],
  'follow',
  'which backing files an image may name: any file, only files in its own directory, or none',
)
export const forceShare = flag(
  'U,force-share',
  'read even while another program writes FILE; what is shown may be torn',
)
export const allowDevices = flag(
  'allow-devices',
  'let the names in headers lead to block devices, too, such as a logical volume that has the data of an FVD image',
)

/** Of commands that take their time. */
export const progress = choice(
  'output',
  'HOW',
  ['human', 'json'],
  'human',
  'a bar on a terminal, or a JSON object a line, each second and at the end',
)
export const noProgress = flag('q,quiet', 'no bar, and say nothing when all is well')
