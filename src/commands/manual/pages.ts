import type { Command } from '../arguments/command.js'
import { helperOptions, listedOptions, umountHelperOptions } from '../arguments/listed-options.js'
import { commands } from '../table.js'
import { commandList, overviewPage, pageOf } from './page.js'
import * as part from './sections.js'

/** One manual page: mount.rawmount.8 is named mount.rawmount, in section 8. */
export interface ManualPage {
  readonly name: string
  readonly section: number
  readonly text: string
}

/** The whole manual, made of the table of commands. */
export function manual(edition: part.Edition): ManualPage[] {
  const page = (name: string, section: number, lines: string[]): ManualPage => ({
    name,
    section,
    text: `${[...part.heading(name, section, edition), ...lines].join('\n')}\n`,
  })
  return [
    page('rawmount', 1, overview()),
    ...Object.values(commands).map(command => page(`rawmount-${command.name}`, 1, ofCommand(command))),
    page('mount.rawmount', 8, ofHelper()),
  ]
}

function overview(): string[] {
  const { title, summary, usage, description, options, examples, exitCodes } = overviewPage
  return [
    ...part.name(title, summary),
    ...part.synopsis(usage),
    ...part.paragraphs('DESCRIPTION', [
      ...description,
      'What is written to that file goes to the image. Further commands make images, check and change them, and show what is in them. Each has a page of its own, rawmount-COMMAND(1), and says the same with `rawmount COMMAND --help`.',
    ]),
    ...part.list('COMMANDS', commandList()),
    ...part.options('OPTIONS', options),
    ...part.examples(examples),
    ...part.exitStatus(exitCodes),
    ...part.list('ENVIRONMENT', ENVIRONMENT),
    ...part.list('FILES', FILES),
    ...part.seeAlso([
      ...Object.values(commands).map(({ name }) => `rawmount-${name}(1)`),
      'mount.rawmount(8)',
      'qemu-img(1)',
      'fusermount3(1)',
    ]),
  ]
}

const ENVIRONMENT: [string, string][] = [
  [
    'DEBUG',
    'what is traced on stderr, or in the file of --log-file: `rawmount:*` is everything, `rawmount:mount,rawmount:fuse` those rooms of the program, `rawmount:*,-rawmount:fuse` all but one.',
  ],
  [
    'RAWMOUNT_HTTP_TIMEOUT',
    'seconds that a web server may keep silent before a read of an image there fails, up to 100 (default 30)',
  ],
  [
    'NOTIFY_SOCKET',
    'the socket of a service manager, which `rawmount mount --foreground` tells that the mount answers, as sd_notify(3) does',
  ],
  ['TMPDIR', 'the directory in which `rawmount mount --overlay temp` makes its overlay (default /var/tmp)'],
]

const FILES: [string, string][] = [
  ['MOUNTPOINT/disk.raw', 'the disk of the image'],
  ['MOUNTPOINT/.rawmount/status.json', 'what the mount is doing, for programs; `rawmount status` shows it'],
  ['MOUNTPOINT/.rawmount/metrics', 'the same as metrics of Prometheus'],
  ['MOUNTPOINT/.rawmount/map.json', 'which parts of the disk are in the image, and which in its base'],
  ['MOUNTPOINT/.rawmount/partitions.json', 'the partition table of the disk'],
  [
    '/etc/fuse.conf',
    'must have user_allow_other in it before users other than root may let others in with -o allow_other',
  ],
]

function ofCommand(command: Command): string[] {
  const { title, summary, usage, description, options, examples, exitCodes } = pageOf(command)
  return [
    ...part.name(title.replace(' ', '-'), summary),
    ...part.synopsis(usage),
    ...part.paragraphs('DESCRIPTION', description),
    ...part.options('OPTIONS', options),
    ...part.examples(examples),
    ...part.exitStatus(exitCodes),
    ...part.seeAlso(['rawmount(1)', ...(command.name === 'mount' ? ['mount.rawmount(8)'] : [])]),
  ]
}

/** What mount(8) calls. */
function ofHelper(): string[] {
  return [
    ...part.name('mount.rawmount', 'mount the image of a virtual disk by mount(8) or /etc/fstab'),
    ...part.synopsis([
      'mount -t fuse.rawmount IMAGE MOUNTPOINT [-o OPTIONS]',
      'mount.rawmount IMAGE MOUNTPOINT [OPTION]...',
      'umount [-l|-f] MOUNTPOINT',
    ]),
    ...part.paragraphs('DESCRIPTION', [
      'Does what `rawmount mount` does, called in the way of mount(8) for the type fuse.rawmount, so that an image can stand in /etc/fstab.',
      'mount(8) looks for it as /sbin/mount.fuse.rawmount, and umount(8), which then waits until the image is closed, for /sbin/umount.fuse.rawmount: both are links to rawmount.',
    ]),
    ...part.options('OPTIONS', helperOptions()),
    ...part.options('OPTIONS OF UMOUNT', umountHelperOptions()),
    ...part.list('MOUNT OPTIONS', [
      ['ro', 'change nothing in the image'],
      ['rw', 'the image may be written (default)'],
      ...listedOptions().map(({ key, valueName, what }): [string, string] => [
        valueName === null ? key : `${key}=${valueName}`,
        what,
      ]),
      ['noexec, noatime', 'the kernel runs nothing that is on the mount, and notes no times of access'],
      ['sync', 'each write is flushed before it returns'],
      ['nofail', 'an image that is not there is passed over in silence'],
      [
        'user, users',
        'a user without rights may mount; the mount is then that user’s, who must be able to open the image',
      ],
      ['remount', 'refused: unmount, and mount again with other options'],
      ['nosuid, nodev', 'always so; suid and dev change nothing'],
      [
        'defaults, auto, noauto, _netdev, x-systemd.* ...',
        'words that are for mount(8) and systemd are passed over',
      ],
    ]),
    ...part.examples([
      { line: '/vm/a.qed  /mnt/a  fuse.rawmount  ro,nofail  0 0', what: 'a line of /etc/fstab' },
      { line: 'mount -t fuse.rawmount -o ro /vm/a.qed /mnt/a', what: 'by hand' },
    ]),
    ...part.exitStatus([
      [0, 'mounted or unmounted'],
      [1, 'the options, or the line of /etc/fstab, cannot be right; one line on stderr says why'],
      [32, 'the mount or the unmount failed; one line on stderr says why'],
    ]),
    ...part.seeAlso(['rawmount-mount(1)', 'fstab(5)', 'mount(8)']),
  ]
}
