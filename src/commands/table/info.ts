import { command } from '../arguments/command.js'
import { flag } from '../arguments/options.js'
import { allowDevices, backing, forceShare, format, output } from './shared.js'

export const info = command({
  name: 'info',
  summary: 'show the facts of an image',
  description: ['Shows format, sizes and backing file of FILE, under the names that qemu-img uses.'],
  operands: [{ name: 'FILE' }],
  options: {
    format: format('the format of FILE; must be given when it is raw'),
    output,
    forceShare,
    backingChain: flag('backing-chain', 'every image of the chain, not only FILE'),
    backing,
    allowDevices,
  },
  examples: [
    { line: 'rawmount info vm.qed', what: '' },
    { line: 'rawmount info --backing-chain --output json vm.qed', what: 'the whole chain, for a program' },
  ],
})
