import { command } from '../arguments/command.js'

export const umount = command({
  name: 'umount',
  summary: 'unmount, and wait until the image is closed and clean',
  description: [
    'Writes everything to the image, unmounts, and returns when the image is closed and may be opened by others. Says who holds the mount when it is busy.',
  ],
  operands: [{ name: 'MOUNTPOINT' }],
  options: {},
  examples: [{ line: 'rawmount umount /mnt/vm', what: '' }],
})
