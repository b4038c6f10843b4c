import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Scratch } from '../support/mounting.js'
import { lacks } from '../support/tools.js'
import { BARE_SYSTEM_NEEDS, fetchPackage, inBareSystem } from './support/bare-system.js'

const INSTALL = 'npm install --global --loglevel=error --no-audit --no-fund /root/rawmount.tgz'

/** What the README shows, from nothing to a sound image. */
const USE = `
rawmount --version
cd /tmp
mkdir mnt
rawmount create -q -f qed vm.qed 64M
rawmount mount vm.qed mnt
stat --format '%n %s' mnt/disk.raw
head -c 3000000 /dev/urandom > data
cp data copy
dd if=data of=mnt/disk.raw conv=notrunc,fsync status=none
head -c 3000000 mnt/disk.raw | cmp - data && echo same
rawmount umount mnt
grep rawmount /proc/mounts || echo unmounted
rawmount check vm.qed
rawmount create -q -f fvd -b vm.qed -F qed vm.fvd
rawmount mount -r vm.fvd mnt
head -c 3000000 mnt/disk.raw | cmp - data && echo same
rawmount umount mnt
`

const USED = [
  /^rawmount \d+\.\d+\.\d+$/,
  /^mnt\/disk.raw 67108864$/,
  /^same$/,
  /^unmounted$/,
  /^No errors were found on the image\.$/,
  /allocated/,
  /^same$/,
]

const fetched = new Scratch(await mkdtemp(join(tmpdir(), 'rawmount-')))
let fetching: Promise<void> | null = null
test.after.always(() => fetched.clean())

/** What a script says on stdout in the bare system; null where there is none. It must succeed. */
async function said(t: ExecutionContext, name: string, script: string): Promise<string[] | null> {
  if (lacks(t, ...BARE_SYSTEM_NEEDS)) return null
  fetching ??= fetchPackage(fetched)
  await fetching
  const { code, stdout, stderr } = await inBareSystem(fetched, name, script)
  t.is(code, 0, stdout + stderr)
  return stdout.split('\n').filter(Boolean)
}

for (const scripts of ['with', 'without'] as const) {
  test(`installed on a bare Debian ${scripts} install scripts, rawmount makes, mounts and checks images`, async t => {
    const install = scripts === 'with' ? INSTALL : `${INSTALL} --ignore-scripts`
    const lines = await said(t, scripts, `${install} >&2\n${USE}`)
    if (lines === null) return
    t.is(lines.length, USED.length, lines.join('\n'))
    for (const [index, line] of lines.entries()) t.regex(line, USED[index]!)
  })
}

test('on a bare Debian, what other ways of mounting need is named, and nothing is left after uninstalling', async t => {
  const lines = await said(
    t,
    'needs',
    `
    cd /tmp
    ${INSTALL} --ignore-scripts >&2
    mkdir --mode=777 mnt
    rawmount create -q -f qed vm.qed 64M
    chmod 666 vm.qed
    refused() { "$@" 2>&1 || echo "code $?"; }
    refused rawmount mount --transport libfuse vm.qed mnt
    refused setpriv --reuid 65534 --regid 65534 --clear-groups rawmount mount vm.qed mnt
    # As npm leaves it out when its install script fails.
    rm -r /usr/local/lib/node_modules/rawmount/node_modules/fuse-native
    refused rawmount mount --transport libfuse vm.qed mnt
    npm uninstall --global --loglevel=error rawmount >&2
    find /usr/local -not -type d
    `,
  )
  const libfuse = 'rawmount: the libfuse transport cannot be loaded:'
  if (lines === null) return
  t.deepEqual(lines, [
    `${libfuse} libfuse.so.2 is missing: install the package libfuse2, or use --transport kernel`,
    'code 1',
    'rawmount: /tmp/mnt: mounting without being root needs fusermount3: install the package fuse3, or mount as root',
    'code 1',
    `${libfuse} the package fuse-native is missing: install libfuse2 and then rawmount again, or use --transport kernel`,
    'code 1',
  ])
})
