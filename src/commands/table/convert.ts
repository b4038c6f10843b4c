import { command } from '../arguments/command.js'
import { list } from '../arguments/key-values.js'
import { flag, integer, text } from '../arguments/options.js'
import { size } from '../arguments/size-option.js'
import { NEW_FORMATS } from '../arguments/takes.js'
import { allowDevices, backing, forceShare, format, noProgress, output } from './shared.js'

export const convert = command({
  name: 'convert',
  summary: 'make an image of another format that shows the same disk',
  description: [
    'Copies the disk that SOURCE and its backing files show into the new image TARGET. Only what holds data is read, and zeros found there take no room. With -b BASE only what differs from BASE is stored. SOURCE may be a URL.',
    'TARGET appears when it is complete and on the disk, or not at all: whatever ends the command leaves nothing behind, and with --force the old file stays as it was until then.',
    'With --no-create TARGET exists, a block device say: then its contents are written over from the first moment on, up to the size of SOURCE. `rawmount convert -O FORMAT -o help SOURCE TARGET` lists the options of a format.',
  ],
  operands: [{ name: 'SOURCE' }, { name: 'TARGET' }],
  options: {
    format: format('the format of SOURCE; must be given when it is raw'),
    targetFormat: {
      ...text('O,output-format', 'FORMAT', 'raw', 'the format of TARGET: fvd, qed or raw'),
      takes: NEW_FORMATS,
    },
    options: list(
      'o,options',
      'KEY=VALUE,...',
      'options of that format, two commas for one in a VALUE; "-o help" lists them',
    ),
    base: text('b,target-backing', 'BASE', null, 'the backing file of TARGET; named relative to it'),
    baseFormat: text('F,backing-format', 'FORMAT', null, 'its format; must be given when it is raw'),
    force: flag('force', 'replace TARGET when it exists'),
    existing: flag('n,no-create', 'write into TARGET, which exists'),
    threads: integer(
      'threads',
      'N',
      { min: 1, max: 32 },
      null,
      'threads that read and write; default: as many as there are processors, at most 4; 8 for a URL',
    ),
    rate: size(
      'rate',
      'RATE',
      1024,
      null,
      'bytes a second that are read at most, such as 50M; default: no limit',
    ),
    output,
    forceShare,
    backing,
    allowDevices,
    quiet: noProgress,
  },
  examples: [
    { line: 'rawmount convert -O qed vm.qcow2 vm.qed', what: '' },
    { line: 'rawmount convert vm.fvd disk.raw', what: 'a plain disk' },
    { line: 'rawmount convert -n vm.qed /dev/vg/vm', what: 'onto a logical volume' },
    { line: 'rawmount convert -O qed -b base.qed vm.qed small.qed', what: 'only what differs from base.qed' },
  ],
  exitCodes: [
    [0, 'TARGET is there'],
    [1, 'it is not, and one line on stderr says why'],
    [130, 'ended by Ctrl-C (143: by SIGTERM); TARGET is as before'],
  ],
})
