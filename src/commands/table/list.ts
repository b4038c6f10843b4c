import { command } from '../arguments/command.js'
import { output } from './shared.js'

export const list = command({
  name: 'list',
  summary: 'list what is mounted: images, mount points, processes',
  description: [
    'Lists the mounts of images that can be seen from here, of all users. STATE is serving; dead, when the process that served the mount has ended and `rawmount umount` takes the mount away; private, when the mount lets this user not look; or silent, when the mount gives no answer within a second.',
    'A process that is not told by the mount itself is looked for below /proc; PID is - (null in JSON) when it is not found.',
  ],
  operands: [],
  options: { output },
  examples: [
    { line: 'rawmount list', what: '' },
    { line: 'rawmount list --output json', what: 'for programs: [] when nothing is mounted' },
  ],
})
