import { command } from '../arguments/command.js'
import { list } from '../arguments/key-values.js'
import { text } from '../arguments/options.js'
import { size } from '../arguments/size-option.js'
import { NEW_FORMATS } from '../arguments/takes.js'
import { allowDevices, backing, forceShare, format, output } from './shared.js'

export const measure = command({
  name: 'measure',
  summary: 'tell how much room a new image would take',
  description: [
    'Says how long the file is that `rawmount convert` makes of SOURCE, or somewhat less where zeros are stored as data, and how long it is once all of the disk has been written. Holes in a file take no room, so on a file system it may need less. With --size: for an empty disk of that size.',
  ],
  operands: [{ name: 'SOURCE', optional: true }],
  options: {
    format: format('the format of SOURCE; must be given when it is raw'),
    targetFormat: {
      ...text('O,output-format', 'FORMAT', 'raw', 'the format of the new image: fvd, qed or raw'),
      takes: NEW_FORMATS,
    },
    options: list('o,options', 'KEY=VALUE,...', 'options of that format'),
    size: size('size', 'SIZE', 0, null, 'of the disk, in place of SOURCE'),
    output,
    forceShare,
    backing,
    allowDevices,
  },
  examples: [
    { line: 'rawmount measure -O qed vm.qcow2', what: '' },
    { line: 'rawmount measure -O fvd -o compact_image=on --size 20G', what: 'an empty disk of 20 GiB' },
  ],
})
