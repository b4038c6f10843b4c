import { command } from '../arguments/command.js'
import { flag, text } from '../arguments/options.js'
import { allowDevices, backing, forceShare, format, output } from './shared.js'

export const compare = command({
  name: 'compare',
  summary: 'see whether two images show the same disk',
  description: [
    'Reads what FIRST and SECOND show, with their backing files, whatever their formats, and says where the first difference is. What both have as zeros, or in the same file at the same place, is not read.',
    'A disk that is longer than the other is the same when zeros follow, but with --strict.',
  ],
  operands: [{ name: 'FIRST' }, { name: 'SECOND' }],
  options: {
    format: format('the format of FIRST; must be given when it is raw'),
    secondFormat: text(
      'F,second-format',
      'FORMAT',
      null,
      'the format of SECOND; must be given when it is raw',
    ),
    strict: flag('s,strict', 'disks of different sizes differ'),
    output,
    forceShare,
    backing,
    allowDevices,
    quiet: flag('q,quiet', 'say nothing, but by the exit code'),
  },
  examples: [
    { line: 'rawmount compare vm.qed vm.fvd', what: '' },
    { line: 'rawmount compare -F raw vm.qed disk.raw', what: 'with a plain disk' },
  ],
  exitCodes: [
    [0, 'the disks are the same'],
    [1, 'they differ'],
    [2, 'an image cannot be opened, an argument is wrong, or the output failed'],
    [3, 'the metadata of an image could not be read'],
    [4, 'the data of an image could not be read'],
  ],
  failure: 2,
})
