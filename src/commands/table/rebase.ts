import { command } from '../arguments/command.js'
import { flag, type Option, text } from '../arguments/options.js'
import { allowDevices, format, noProgress, progress } from './shared.js'

/** Unlike other options, it may be empty. */
const base: Option<string | null> = {
  ...text<null>(
    'b,backing',
    'BASE',
    null,
    "the new backing file, named relative to the directory of FILE; '' for none",
  ),
  read: value => value,
}

export const rebase = command({
  name: 'rebase',
  summary: 'put an image on another backing file, or on none',
  description: [
    "Makes BASE the backing file of FILE, and copies into FILE first what BASE has otherwise than the old one, so that the disk stays the same. With -b '' all is copied, and FILE needs no backing file any more. An FVD image that needs none any more, or never had one, cannot be put on one. Interrupted at any time, FILE is as good as before, and the same command goes on from there.",
    'With -u nothing is copied or compared, only the name in the header changes: for a base that was moved or renamed. If the contents are not the same, the disk is destroyed.',
  ],
  operands: [{ name: 'FILE' }],
  options: {
    base,
    baseFormat: text('F,backing-format', 'FORMAT', null, 'its format; must be given when it is raw'),
    unsafe: flag('u,unsafe', 'change only the name; BASE need not exist'),
    format: format('the format of FILE; found by its magic when left out'),
    output: progress,
    allowDevices,
    quiet: noProgress,
  },
  examples: [
    { line: 'rawmount rebase -b new.img -F raw vm.qed', what: 'the same disk on another base' },
    { line: 'rawmount rebase -u -b /vm/base.qed vm.qed', what: 'the base was moved there' },
    { line: "rawmount rebase -b '' vm.qed", what: 'vm.qed needs no base any more' },
  ],
  exitCodes: [
    [0, 'the header names the new base'],
    [1, 'it could not be done or finished; the disk is as it was'],
    [130, 'ended by Ctrl-C (143: by SIGTERM); the disk is as it was'],
  ],
})
