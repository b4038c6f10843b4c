import test from 'ava'
import { mountOptions } from '../../src/commands/arguments/mount-options.js'
import { parse } from '../../src/commands/arguments/parse.js'
import { mount } from '../../src/commands/table/mount.js'

function optionsOf(...args: string[]) {
  const { values, operands } = parse(mount, [...args, 'vm.qed', '/mnt/vm'])!
  return mountOptions(operands[0]!, operands[1]!, values)
}

test('paths become absolute, as the daemon has another working directory', t => {
  const { image, mountpoint } = optionsOf()
  t.deepEqual([image, mountpoint], [`${process.cwd()}/vm.qed`, '/mnt/vm'])
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
    'defaults,rw,noauto,nofail,user,users,_netdev,noatime,nosuid,nodev,x-systemd.automount,X-mount.mkdir=0700'
  t.deepEqual(optionsOf('-o', words), optionsOf())
})

const COMPLAINTS: [string, string][] = [
  ['thread=3', "mount: unknown mount option 'thread': did you mean 'threads'?"],
  ['commit-interval=3', "mount: unknown mount option 'commit-interval': did you mean 'commit_interval'?"],
  ['elephant', "mount: unknown mount option 'elephant': see 'rawmount mount --help'"],
  ['ro=1', "mount: option '-o ro' takes no value"],
  ['allow_other=yes', "mount: option '-o allow_other' takes no value"],
  ['threads', "mount: option '-o threads' needs a value: threads=N"],
  ['threads=none', "mount: option '-o threads' takes a number from 1 to 64, not 'none'"],
]

for (const [listed, message] of COMPLAINTS) {
  test(`-o ${listed} is refused: ${message}`, t => {
    t.throws(() => optionsOf('-o', listed), { message })
  })
}
