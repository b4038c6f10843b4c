import test from 'ava'
import { listable, mountOptions } from '../../src/commands/arguments/mount-options.js'
import { parse } from '../../src/commands/arguments/parse.js'
import { mount } from '../../src/commands/table/mount.js'

function optionsOf(...args: string[]) {
  const { values, operands } = parse(mount, [...args, 'vm.qed', '/mnt/vm'])!
  return mountOptions(operands, values)
}

test('paths become absolute, as the daemon has another working directory', t => {
  const { images, mountpoint } = optionsOf()
  t.deepEqual([...images, mountpoint], [`${process.cwd()}/vm.qed`, '/mnt/vm'])
})

test('every option of mount can be given with -o, too', t => {
  const listed = optionsOf(
    '-o',
    'ro,format=raw,transport=libfuse,threads=7,cache=none,commit_interval=9,metadata_cache=4M,backing=deny,allow_other',
  )
  const written = optionsOf(
    ...'-r --format raw --transport libfuse --threads 7 --cache none --commit-interval 9'.split(' '),
    ...'--metadata-cache 4M --backing deny --allow-other'.split(' '),
  )
  t.deepEqual(listed, written)
  t.like(listed, { readOnly: true, format: 'raw', threads: 7, metadataCache: 4 << 20, allowOther: true })
})

test('--help names the options that cannot be given with -o, and how a comma is', t => {
  const [sentence = ''] = /All options below .*?;/.exec(mount.description.join('\n')) ?? []
  const known = listable().map(([name]) => name)
  // The list itself, and -r, which is ro.
  const others = Object.entries(mount.options).filter(
    ([name]) => ![...known, 'options', 'readOnly'].includes(name),
  )
  t.deepEqual(
    sentence.match(/--[\w-]+/g),
    others.map(([, { long }]) => `--${long}`),
  )
  t.is(optionsOf('-o', 'log_file=/a,,b').logFile, '/a,b')
  t.regex(mount.description.join('\n'), /Two commas stand for one/)
})

test('of ro and rw the last one counts, and -r is never undone', t => {
  t.false(optionsOf('-o', 'ro,rw').readOnly)
  t.true(optionsOf('-o', 'rw,ro').readOnly)
  t.true(optionsOf('-o', 'rw', '-o', 'ro').readOnly)
  t.false(optionsOf('-o', 'rw,ro', '-o', 'rw').readOnly)
  t.true(optionsOf('-o', 'ro,rw,ro').readOnly)
  t.true(optionsOf('-r', '-o', 'rw').readOnly)
})

test('what fstab lines say for mount(8) itself is passed over', t => {
  const words =
    'defaults,rw,auto,noauto,nofail,user=me,users,owner,group,_netdev,nodiratime,nosuid,nodev,suid,dev,comment=x,x-systemd.automount,X-mount.mkdir=0700'
  t.deepEqual(optionsOf('-o', words), optionsOf())
})

test('what the kernel does by itself is handed to it, and the last word counts', t => {
  t.deepEqual(optionsOf('-o', 'noexec,noatime,sync').flags, ['noexec', 'noatime', 'sync'])
  t.deepEqual(optionsOf('-o', 'noexec,noatime,sync,exec,relatime,async').flags, [])
  t.deepEqual(optionsOf('-o', 'async,sync').flags, ['sync'])
})

test('owner and permissions are numbers, the mask in octal', t => {
  t.like(optionsOf(), { uid: null, gid: null, umask: null })
  t.like(optionsOf('-o', 'uid=4294967294,gid=0,umask=0027'), { uid: 2 ** 32 - 2, gid: 0, umask: 0o27 })
  t.like(optionsOf('--uid=1000', '--gid', '100', '--umask', '0'), { uid: 1000, gid: 100, umask: 0 })
})

const COMPLAINTS: [string, string][] = [
  ['thread=3', "mount: unknown mount option 'thread': did you mean 'threads'?"],
  ['commit-interval=3', "mount: unknown mount option 'commit-interval': did you mean 'commit_interval'?"],
  ['elephant', "mount: unknown mount option 'elephant': see 'rawmount mount --help'"],
  ['ro=1', "mount: option '-o ro' takes no value"],
  ['allow_other=yes', "mount: option '-o allow_other' takes no value"],
  ['threads', "mount: option '-o threads' needs a value: threads=N"],
  [
    'remount,ro',
    'mount: the options of a mount cannot be changed (remount): unmount, and mount again with those you want',
  ],
  ['uid=me', "mount: option '-o uid' takes a number from 0 to 4294967294, not 'me'"],
  ['gid=4294967295', "mount: option '-o gid' takes a number from 0 to 4294967294, not '4294967295'"],
  ['umask=08', "mount: option '-o umask' takes three octal digits such as 022, not '08'"],
  ['umask=1777', "mount: option '-o umask' takes three octal digits such as 022, not '1777'"],
  ['noexce', "mount: unknown mount option 'noexce': did you mean 'noexec'?"],
  ['threads=none', "mount: option '-o threads' takes a number from 1 to 64, not 'none'"],
]

for (const [listed, message] of COMPLAINTS) {
  test(`-o ${listed} is refused: ${message}`, t => {
    t.throws(() => optionsOf('-o', listed), { message })
  })
}
