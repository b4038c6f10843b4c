import { type Command, command } from './command.js'
import { list } from './key-values.js'
import { choice, flag, integer, text } from './options.js'
import { size } from './size-option.js'

/**
 * Every command and option of rawmount, once. Parsing, --help, the -o options of mount, and what is derived for
 * manual pages and shell completion come from here.
 */

const MiB = 1024 * 1024

const format = (what: string) => text('f,format', 'FORMAT', null, what)
const output = choice(
  'output',
  'HOW',
  ['human', 'json'],
  'human',
  'print for people, or as JSON for programs',
)
const backing = choice(
  'backing',
  'POLICY',
  ['follow', 'same-dir', 'deny'],
  'follow',
  'which backing files an image may name: any file, only files in its own directory, or none',
)
const forceShare = flag(
  'U,force-share',
  'read even while another program writes FILE; what is shown may be torn',
)
const allowDevices = flag(
  'allow-devices',
  'let the names in headers lead to block devices, too, such as a logical volume that has the data of an FVD image',
)

export const mount = command({
  name: 'mount',
  summary: 'show an image as the file disk.raw in a directory',
  description: [
    'Mounts IMAGE on the empty directory MOUNTPOINT. There, the disk is the file disk.raw, and what the mount is doing can be read in .rawmount/status.json.',
    'Returns when the mount answers, and leaves a daemon that serves it; `rawmount umount` ends it. What is written is durable after the next fsync (or sync, or unmount), as on any disk.',
    'All options below can be given as -o KEY=VALUE too, with _ for -, as in `-o commit_interval=1`, and so in /etc/fstab.',
  ],
  operands: [{ name: 'IMAGE' }, { name: 'MOUNTPOINT' }],
  options: {
    foreground: flag('f,foreground', 'stay in front until the mount ends, instead of leaving a daemon'),
    readOnly: flag('r,read-only', 'change nothing in the image; several read-only mounts may share it'),
    options: list('o,options', 'KEY[=VALUE],...', 'mount options, as mount(8) gives them'),
    format: text(
      'format',
      'FORMAT',
      null,
      'fvd, qed, qcow2 or raw; left out: by the magic of the file, so never raw',
    ),
    transport: choice(
      'transport',
      'HOW',
      ['auto', 'kernel', 'libfuse'],
      'auto',
      'how to talk to FUSE: /dev/fuse itself (kernel), or through libfuse 2; auto takes the first that works',
    ),
    threads: integer('threads', 'N', { min: 1, max: 64 }, 2, 'threads that serve requests'),
    cache: choice(
      'cache',
      'MODE',
      ['writeback', 'writethrough', 'none'],
      'writeback',
      'how the kernel caches the file: reads and writes, reads only, or neither',
    ),
    commitInterval: integer(
      'commit-interval',
      'SECONDS',
      { min: 1, max: 3600 },
      5,
      'seconds after which what was written is durable without an fsync',
    ),
    metadataCache: size('metadata-cache', 'SIZE', MiB, 32 * MiB, 'memory for tables of the image'),
    backing,
    allowDevices,
    allowAddStorageCmd: flag(
      'allow-add-storage-cmd',
      'run the shell command that an FVD image names for making room when its storage is full; see it with info first',
    ),
    copyOnRead: choice(
      'copy-on-read',
      'WHEN',
      ['on', 'off', 'image'],
      'image',
      'keep in the image what is read from its base; image: as the header of an FVD image says',
    ),
    prefetch: choice(
      'prefetch',
      'WHEN',
      ['on', 'off', 'image'],
      'image',
      'fetch the whole base in the background, at once; image: when the header of an FVD image says',
    ),
    prefetchRate: size('prefetch-rate', 'RATE', 1024, null, 'bytes a second that are fetched at most'),
    detach: flag(
      'detach',
      'when all of the base was fetched, take its name from the header of a QED image; FVD always notes it',
    ),
    recordProfile: flag(
      'record-profile',
      'note which parts of the base are read first; kept in an FVD image with room for it, else in IMAGE.profile',
    ),
    prefetchProfile: text(
      'prefetch-profile',
      'FROM',
      'image',
      'fetch first what a profile names: a FILE with one (IMAGE.profile, or an FVD image), on: the own one, off, or image',
    ),
    writeBase: choice(
      'write-base',
      'MODE',
      ['no', 'writethrough', 'writeback', 'image'],
      'image',
      'let writes go to the base, too: before each fsync returns (writethrough), or later (writeback)',
    ),
    nonempty: flag('nonempty', 'mount on a directory that is not empty; its files are hidden meanwhile'),
    allowOther: flag(
      'allow-other',
      'let other users in, root too (needs user_allow_other in /etc/fuse.conf, or root)',
    ),
    debug: flag('d,debug', 'stay in front and trace on stderr, as DEBUG=rawmount:* does'),
  },
  examples: [
    { line: 'rawmount mount vm.qed /mnt/vm', what: 'the disk is /mnt/vm/disk.raw' },
    { line: 'rawmount mount -r --format raw disk.img /mnt/vm', what: 'a raw image, not to be changed' },
    { line: 'rawmount /srv/vm.qed /mnt/vm -o ro,threads=4', what: 'as mount(8) and /etc/fstab call it' },
  ],
})

export const umount = command({
  name: 'umount',
  summary: 'unmount, and wait until the image is closed and clean',
  description: [
    'Writes everything to the image, unmounts, and returns when the image is closed and may be opened by others. Says who holds the mount when it is busy.',
  ],
  operands: [{ name: 'MOUNTPOINT' }],
  options: {},
  examples: [{ line: 'rawmount umount /mnt/vm', what: '' }],
})

export const create = command({
  name: 'create',
  summary: 'make an empty image, or one on top of a backing file',
  description: [
    'Makes the image FILE with a disk of SIZE bytes (K, M, G, T: powers of 1024). With -b BASE it shows what BASE holds, and takes its size when SIZE is left out; what is written goes to FILE only. BASE is named relative to the directory of FILE, and so is the data_file of an FVD image, which is made when it is missing.',
    'A file that exists is not overwritten, unlike qemu-img does, but with --force. `rawmount create -f FORMAT -o help FILE` lists the options of a format.',
  ],
  operands: [{ name: 'FILE' }, { name: 'SIZE', optional: true }],
  options: {
    format: text('f,format', 'FORMAT', 'raw', 'the format of the image: fvd, qed or raw'),
    base: text('b,backing', 'BASE', null, 'the backing file'),
    baseFormat: text('F,backing-format', 'FORMAT', null, 'its format; must be given when it is raw'),
    unchecked: flag('u,unchecked', 'do not open the backing file; SIZE must then be given'),
    options: list('o,options', 'KEY=VALUE,...', 'options of the format; "-o help" lists them'),
    force: flag('force', 'overwrite FILE when it exists, and give up what its data file has'),
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

export const prefetch = command({
  name: 'prefetch',
  summary: 'fetch all that an image still has in its base, offline',
  description: [
    'Copies into IMAGE what is still in its base, until it does not need it: what `mount --prefetch on` does beside a guest, but with nobody to give way to. A bar shows how far it is. Ctrl-C ends it cleanly, and the same command goes on from there; so it does after a crash.',
    'At the end an FVD image notes that it is independent; a QED image does with --detach, which takes the name of the base from its header.',
  ],
  operands: [{ name: 'IMAGE' }],
  options: {
    rate: size(
      'rate',
      'RATE',
      1024,
      null,
      'bytes a second that are fetched at most, such as 50M; default: no limit',
    ),
    detach: flag('detach', 'at the end, take the name of the base from the header of a QED image'),
    format: format('the format of IMAGE; found by its magic when left out'),
    output: choice(
      'output',
      'HOW',
      ['human', 'json'],
      'human',
      'a bar on a terminal, or a JSON object a line, each second and at the end',
    ),
    backing,
    allowDevices,
    quiet: flag('q,quiet', 'no bar, and say nothing when all is well'),
  },
  examples: [
    { line: 'rawmount prefetch --rate 50M vm.fvd', what: 'and leave the network to others, too' },
    { line: 'rawmount prefetch --detach vm.qed', what: 'vm.qed needs no backing file any more' },
  ],
  exitCodes: [
    [0, 'nothing is left in the base'],
    [1, 'it could not be finished; what was fetched is kept'],
    [130, 'ended by Ctrl-C (143: by SIGTERM); what was fetched is kept'],
  ],
})

export const status = command({
  name: 'status',
  summary: 'show what a mount is doing',
  description: [
    'Looks at the mount on MOUNTPOINT for a second, and shows what it serves, how fast, and how far the image is filled from its base. The same is in .rawmount/status.json below MOUNTPOINT, but for the rates.',
  ],
  operands: [{ name: 'MOUNTPOINT' }],
  options: {
    watch: flag(
      'w,watch',
      'go on until Ctrl-C or the unmount; in place on a terminal, else a line each second',
    ),
    output: choice(
      'output',
      'HOW',
      ['human', 'json'],
      'human',
      'print for people, or a JSON object a line: status.json with the rates',
    ),
  },
  examples: [
    { line: 'rawmount status /mnt/vm', what: '' },
    { line: 'rawmount status --watch /mnt/vm', what: 'how it goes on' },
  ],
})

export const commands = { mount, umount, status, create, prefetch, update, info, check, map } as const
export type CommandName = keyof typeof commands

export const commandNames = Object.keys(commands) as CommandName[]

export function commandNamed(name: string): Command | null {
  return Object.hasOwn(commands, name) ? commands[name as CommandName] : null
}
