import { command } from '../arguments/command.js'
import { flag } from '../arguments/options.js'
import { allowDevices, format, output } from './shared.js'

export const resize = command({
  name: 'resize',
  summary: 'make the disk of an image larger or smaller',
  description: [
    'Gives the disk of FILE the size SIZE, or with +SIZE or -SIZE so much more or less than it has. SIZE is a number of bytes, with K, M, G or T behind it; but for a raw image, a multiple of 512. What is new reads as zeros, whatever a base has there.',
    'The partitions and file systems on the disk keep their sizes: make them smaller before the disk, and larger after it. A smaller disk takes --shrink, and that nothing but zeros is cut off; --force gives up data, too.',
    'An image in use is not changed. One that is the base of others must not become smaller than they need it. A crash leaves the old size or the new one, with all the data up to there.',
  ],
  operands: [{ name: 'FILE' }, { name: 'SIZE', signed: true }],
  options: {
    format: format('the format of FILE; found by its magic when left out'),
    shrink: flag('shrink', 'the disk may become smaller'),
    force: flag('force', 'with --shrink: cut data off, too; they are lost'),
    output,
    allowDevices,
    quiet: flag('q,quiet', 'say nothing when all is well'),
  },
  examples: [
    { line: 'rawmount resize vm.qed +10G', what: '10 GiB more' },
    { line: 'rawmount resize --shrink vm.fvd 20G', what: 'cut off an end that holds nothing' },
    { line: 'rawmount resize -f raw disk.img 64G', what: '' },
  ],
})
