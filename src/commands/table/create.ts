import { command } from '../arguments/command.js'
import { list } from '../arguments/key-values.js'
import { flag, text } from '../arguments/options.js'
import { NEW_FORMATS } from '../arguments/takes.js'

export const create = command({
  name: 'create',
  summary: 'make an empty image, or one on top of a backing file',
  description: [
    "Makes the image FILE with a disk of SIZE bytes (K, M, G, T: powers of 1024). With -b BASE it shows what BASE holds, and takes its size when SIZE is left out; what is written goes to FILE only. BASE is named relative to the directory of FILE, and so is the data_file of an FVD image, which is made when it is missing, and else must be empty and no other image's.",
    'A file that exists is not overwritten, unlike qemu-img does, but with --force: then it stays as it was until the new one is complete, but what a data file has is gone at once. `rawmount create -f FORMAT -o help FILE` lists the options of a format.',
  ],
  operands: [{ name: 'FILE' }, { name: 'SIZE', optional: true }],
  options: {
    format: {
      ...text('f,format', 'FORMAT', 'raw', 'the format of the image: fvd, qed or raw'),
      takes: NEW_FORMATS,
    },
    base: text('b,backing', 'BASE', null, 'the backing file'),
    baseFormat: text('F,backing-format', 'FORMAT', null, 'its format; must be given when it is raw'),
    unchecked: flag('u,unchecked', 'do not open the backing file; SIZE must then be given'),
    options: list(
      'o,options',
      'KEY=VALUE,...',
      'options of the format, two commas for one in a VALUE; "-o help" lists them',
    ),
    force: flag('force', 'replace FILE when it exists, and give up what its data file has'),
    quiet: flag('q,quiet', 'say nothing when all is well'),
  },
  examples: [
    { line: 'rawmount create -f qed vm.qed 20G', what: 'an empty disk of 20 GiB' },
    { line: 'rawmount create -f qed -o cluster_size=4K vm.qed 20G', what: 'less to copy at a first write' },
    { line: 'rawmount create -f qed -b base.qed vm.qed', what: 'starts as a copy of base.qed' },
    { line: 'rawmount create -f qed -b base.img -F raw vm.qed', what: 'the same on a raw disk' },
    {
      line: 'rawmount create -f fvd -b base.qcow2 -o compact_image=on vm.fvd',
      what: 'takes room as it needs it',
    },
  ],
})
