import { command } from '../arguments/command.js'
import { allowDevices, backing, forceShare, format, output } from './shared.js'

export const map = command({
  name: 'map',
  summary: 'show where the parts of a disk lie',
  description: [
    'Lists the extents of the disk in FILE and its backing files. For people: those with data, as offset in the disk, length, offset in the file, file. With --output json: all of them, as `qemu-img map` does (depth: 0 is FILE itself, 1 its backing file, and so on).',
  ],
  operands: [{ name: 'FILE' }],
  options: {
    format: format('the format of FILE; must be given when it is raw'),
    output,
    forceShare,
    backing,
    allowDevices,
  },
  examples: [
    { line: 'rawmount map vm.qed', what: '' },
    { line: 'rawmount map --output json vm.qed', what: 'every extent, holes too' },
  ],
})
