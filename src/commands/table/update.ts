import { command } from '../arguments/command.js'
import { flag } from '../arguments/options.js'
import { allowDevices, format, output } from './shared.js'

export const update = command({
  name: 'update',
  summary: 'change fields in the header of an FVD image',
  description: [
    'Sets each FIELD of the header of FILE to VALUE, all of them or none; `rawmount info` shows them, with their names. Sizes take K, M, G, T; flags on and off. Without FIELD=VALUE, lists the fields that can be changed in FILE, with their values and meaning.',
    'Values that contradict each other or the image are refused. A new base or data file must open and be long enough, and is named relative to the directory of FILE. An image in use is not changed.',
  ],
  operands: [{ name: 'FILE' }, { name: 'FIELD=VALUE', optional: true, repeated: true }],
  options: {
    format: format('the format of FILE; found by its magic when left out'),
    unchecked: flag('u,unchecked', 'do not open the base and the data file; they may be missing'),
    output,
    allowDevices,
    quiet: flag('q,quiet', 'say nothing when all is well'),
  },
  examples: [
    { line: 'rawmount update vm.fvd base_img=/archive/base.raw', what: 'the base was moved' },
    { line: 'rawmount update vm.fvd copy_on_read=on prefetch_start_delay=60', what: '' },
    { line: 'rawmount update vm.fvd', what: 'what can be changed?' },
  ],
})
