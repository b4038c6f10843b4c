import { command } from '../arguments/command.js'
import { text } from '../arguments/options.js'
import { FILES } from '../arguments/takes.js'
import { allowDevices, backing, forceShare, format, output } from './shared.js'

export const map = command({
  name: 'map',
  summary: 'show where the parts of a disk lie',
  description: [
    'Lists the extents of the disk in FILE and its backing files. For people: those with data, as offset in the disk, length, offset in the file, file. With --output json: all of them, as `qemu-img map` does (depth: 0 is FILE itself, 1 its backing file, and so on).',
    'With --svg or --html it draws a picture instead: the disk as a map of cells, coloured by what is data, zero, or in which backing file, and how much of the file is leaked. A picture of before is replaced; any other file is not; a FIFO is waited for, until somebody reads it.',
  ],
  operands: [{ name: 'FILE' }],
  options: {
    format: format('the format of FILE; must be given when it is raw'),
    output,
    svg: { ...text('svg', 'PICTURE', null, 'draw the disk into this SVG file; - for stdout'), takes: FILES },
    html: {
      ...text('html', 'PAGE', null, 'the same as a web page, which tells of each cell what it holds'),
      takes: FILES,
    },
    forceShare,
    backing,
    allowDevices,
  },
  examples: [
    { line: 'rawmount map vm.qed', what: '' },
    { line: 'rawmount map --output json vm.qed', what: 'every extent, holes too' },
    { line: 'rawmount map --html vm.html vm.qed', what: 'a picture, to open in a browser' },
  ],
})
