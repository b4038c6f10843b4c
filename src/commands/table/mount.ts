import { command } from '../arguments/command.js'
import { list } from '../arguments/key-values.js'
import { choice, flag, integer, text } from '../arguments/options.js'
import { size } from '../arguments/size-option.js'
import { FILES } from '../arguments/takes.js'
import { umask } from '../arguments/umask-option.js'
import { allowDevices, backing } from './shared.js'

/** The highest number means nobody at all. */
const MAX_ID = 2 ** 32 - 2

const MiB = 1024 * 1024

export const mount = command({
  name: 'mount',
  summary: 'show images as raw files, disk.raw, in a directory',
  description: [
    'Mounts IMAGE on the empty directory MOUNTPOINT. There, the disk is the file disk.raw, and what the mount is doing can be read in .rawmount/status.json. Where MOUNTPOINT is a regular file, the disk takes its place: the path of a file that some program uses just works.',
    'Several images, or a directory of them, get a folder each: MOUNTPOINT/NAME/disk.raw, NAME being that of the file without .qed and the like. One that cannot be opened is reported, and left out; one that others stand on is read-only; one that is called .raw is raw.',
    'Returns when the mount answers, and leaves a daemon that serves it; `rawmount umount` ends it. What is written is durable after the next fsync (or sync, or unmount), as on any disk.',
    'All options below but --foreground and --ready-fd can be given as -o KEY=VALUE too, with _ for -, as in `-o commit_interval=1`, and so in /etc/fstab; -r is `-o ro`. Two commas stand for one in a VALUE, but not where mount(8) reads it first.',
  ],
  operands: [
    { name: 'IMAGE', repeated: true },
    { name: 'MOUNTPOINT', takes: FILES },
  ],
  options: {
    foreground: flag('f,foreground', 'stay in front until the mount ends, instead of leaving a daemon'),
    readOnly: flag('r,read-only', 'change nothing in the image; several read-only mounts may share it'),
    overlay: text(
      'overlay',
      'FILE',
      null,
      'let writes go to FILE, and change nothing in IMAGE: an image on top of it, made when it is missing; temp: gone after the unmount; a directory: one in it for each image',
    ),
    overlayFormat: choice(
      'overlay-format',
      'FORMAT',
      ['fvd', 'qed'],
      null,
      'the format of an overlay that is made; left out: fvd when it is called so, else qed',
    ),
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
    prefetchProfile: {
      ...text(
        'prefetch-profile',
        'FROM',
        'image',
        'fetch first what a profile names: a FILE with one (IMAGE.profile, or an FVD image), on: the own one, off, or image',
      ),
      takes: { words: ['on', 'off', 'image'], paths: 'files' },
    },
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
    uid: integer(
      'uid',
      'UID',
      { min: 0, max: MAX_ID },
      null,
      'owner of what is shown, if not who mounts: a number',
    ),
    gid: integer(
      'gid',
      'GID',
      { min: 0, max: MAX_ID },
      null,
      'its group, if not that of who mounts: a number',
    ),
    umask: umask(
      'umask',
      'permissions that nobody gets, in octal; default: 077, so that only the owner reads and writes',
    ),
    pidfile: text(
      'pidfile',
      'FILE',
      null,
      'keep the number of the serving process in FILE while it is mounted',
    ),
    readyFd: integer(
      'ready-fd',
      'N',
      { min: 1, max: 65535 },
      null,
      'descriptor that gets a line feed when the mount answers, and is closed: a number',
    ),
    logFile: text(
      'log-file',
      'FILE',
      null,
      'append to FILE what happens to the mount, a line each: its begin and end, warnings, requests that failed, and the traces of DEBUG=rawmount:*; SIGUSR1 adds the status. A FILE that was renamed is written on: logrotate needs copytruncate',
    ),
    debug: flag('d,debug', 'stay in front and trace on stderr, as DEBUG=rawmount:* does'),
  },
  examples: [
    { line: 'rawmount mount vm.qed /mnt/vm', what: 'the disk is /mnt/vm/disk.raw' },
    { line: 'rawmount mount -r --format raw disk.img /mnt/vm', what: 'a raw image, not to be changed' },
    {
      line: 'rawmount mount --overlay temp evidence.qcow2 /mnt/vm',
      what: 'write as you like: nothing is kept',
    },
    { line: 'rawmount mount a.qed b.fvd /mnt/vms', what: '/mnt/vms/a/disk.raw, /mnt/vms/b/disk.raw' },
    { line: 'rawmount /srv/vm.qed /mnt/vm -o ro,threads=4', what: 'as mount(8) and /etc/fstab call it' },
  ],
})
