import { command } from '../arguments/command.js'
import { choice, flag } from '../arguments/options.js'
import { allowDevices, forceShare, format, output } from './shared.js'

export const check = command({
  name: 'check',
  summary: 'find inconsistencies of an image, and repair them',
  description: [
    'Reads all metadata of FILE and says what is wrong. Leaked clusters waste space and harm nothing; corruptions are entries that point where they must not.',
    'Repairing a corruption removes the entry: the range then reads as if it was never written. An FVD image that was not closed cleanly is recovered by either repair. Make a copy first.',
  ],
  operands: [{ name: 'FILE' }],
  options: {
    format: format('the format of FILE; found by its magic when left out'),
    repair: choice('r,repair', 'WHAT', ['leaks', 'all'], null, 'repair leaks, or leaks and corruptions'),
    output,
    forceShare,
    allowDevices,
    quiet: flag('q,quiet', 'say nothing, but by the exit code'),
  },
  examples: [
    { line: 'rawmount check vm.qed', what: '' },
    { line: 'rawmount check -r all vm.qed', what: 'repair all that can be' },
  ],
  exitCodes: [
    [0, 'clean, or all was repaired'],
    [1, 'the check could not be done or finished'],
    [2, 'the image is corrupt'],
    [3, 'the image has leaked clusters, and is otherwise fine'],
    [63, 'the format has nothing to check (raw)'],
  ],
})
