import { createHash } from 'node:crypto'
import { access, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { NEEDS, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { lacks, run, succeed } from '../support/tools.js'

/** Writes that go to an overlay: the image stays as it is. */
const MiB = 1024 * 1024

async function evidence(work: Scratch, format = 'qed'): Promise<{ image: string; before: object }> {
  const image = await work.create(`evidence.${format}`, '-f', format, '16M')
  const mounted = await work.mount(image, '--format', format)
  await writeFile(mounted.disk, Buffer.alloc(MiB, 3), { flag: 'r+' })
  await mounted.unmount()
  return { image, before: await fingerprint(image) }
}

/** All that a change would show in, but the time of the last read. */
async function fingerprint(path: string): Promise<object> {
  const { size, mtimeMs, ctimeMs } = await stat(path)
  const hash = createHash('sha256').update(await readFile(path))
  return { size, mtimeMs, ctimeMs, hash: hash.digest('hex') }
}

for (const format of ['qed', 'fvd', 'raw']) {
  test(`with --overlay FILE a ${format} image stays as it is, byte for byte, and the writes are kept`, async t => {
    if (lacks(t, ...NEEDS.kernel)) return
    const work = await scratch(t)
    const { image, before } = await evidence(work, format)
    for (const overlay of [work.join('over.qed'), work.join('over.fvd')]) {
      const options = ['--overlay', overlay, ...(format === 'raw' ? ['--format', 'raw'] : [])]
      const first = await work.mount(image, ...options)
      t.like(await first.status(), { image, overlay, readOnly: false })
      await writeFile(first.disk, Buffer.alloc(4096, 9), { flag: 'r+' })
      await first.unmount()
      const second = await work.mount(image, ...options)
      const disk = await readFile(second.disk)
      t.true(disk.subarray(0, 4096).equals(Buffer.alloc(4096, 9)))
      t.true(disk.subarray(4096, MiB).equals(Buffer.alloc(MiB - 4096, 3)))
      await second.unmount()
      await work.rawmounts('check', '-q', overlay)
      t.regex(await work.rawmounts('info', overlay), new RegExp(`file format: ${overlay.slice(-3)}`))
    }
    t.deepEqual(await fingerprint(image), before)
  })
}

test('a temporary overlay takes writes, and is gone without a trace', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const { image, before } = await evidence(work)
  const kept = async () =>
    (await readdir(process.env.TMPDIR ?? '/var/tmp')).filter(name => name.includes('overlay'))
  const mounted = await work.mount(image, '--overlay', 'temp')
  t.deepEqual(await kept(), [])
  await succeed('mkfs.ext4', '-q', '-F', mounted.disk)
  await succeed('e2fsck', '-fn', mounted.disk)
  t.is((await mounted.status()).overlay, 'temp')
  await mounted.unmount()
  t.deepEqual(await fingerprint(image), before)
  const again = await work.mount(image, '--overlay', 'temp')
  t.true((await readFile(again.disk)).subarray(0, MiB).equals(Buffer.alloc(MiB, 3)))
  await again.unmount()
})

/** Serial, as a test beside this one looks for temporary overlays that stay. */
test.serial('--backing holds for what the image leads to, not for the overlay', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  for (const directory of ['images', 'overlays', 'elsewhere']) await work.directory(directory)
  const base = await work.create('images/base.qed', '1M')
  const near = await work.create('images/near.qed', '-b', base)
  const far = await work.create('images/far.qed', '-b', await work.create('elsewhere/base.qed', '1M'))
  const allowed = [
    [base, 'deny'],
    [base, 'same-dir'],
    [near, 'same-dir'],
  ] as const
  for (const [image, policy] of allowed) {
    for (const overlay of ['temp', work.join('overlays'), work.join('overlays')]) {
      const mounted = await work.mount(image, '--overlay', overlay, '--backing', policy)
      t.is((await readFile(mounted.disk)).length, MiB)
      await mounted.unmount()
    }
  }
  const made = await readdir(work.join('overlays'))
  for (const [image, policy] of [
    [near, 'deny'],
    [far, 'same-dir'],
  ] as const) {
    for (const overlay of ['temp', work.join('fresh.qed')]) {
      const outcome = await work.rawmount(
        'mount',
        '--overlay',
        overlay,
        '--backing',
        policy,
        image,
        work.join('mnt'),
      )
      t.is(outcome.code, 1)
      t.regex(outcome.stderr, new RegExp(`^rawmount: ${image}: backing file .* --backing=${policy} `))
    }
    await t.throwsAsync(access(work.join('fresh.qed')))
  }
  const outcome = await work.rawmount(
    'mount',
    '--overlay',
    work.join('overlays'),
    '--backing=deny',
    near,
    work.join('mnt'),
  )
  t.regex(outcome.stderr, new RegExp(`^rawmount: ${near}: backing file .* --backing=deny `))
  t.deepEqual(await readdir(work.join('overlays')), made)
})

test('several images can have an overlay each, in a directory of them', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const base = await work.create('golden.qed', '16M')
  const vm = await work.create('vm.qed', '-b', base)
  const before = [await fingerprint(base), await fingerprint(vm)]
  const overlays = await work.directory('overlays')
  const mnt = await work.directory('mnt')
  await work.rawmounts('mount', '--overlay', overlays, base, vm, mnt)
  t.deepEqual(await readdir(overlays), ['golden.qed', 'vm.qed'])
  for (const name of ['golden', 'vm']) {
    await writeFile(`${mnt}/${name}/disk.raw`, Buffer.alloc(MiB, 1), { flag: 'r+' })
  }
  await work.rawmounts('umount', mnt)
  t.deepEqual([await fingerprint(base), await fingerprint(vm)], before)
})

test('an overlay in a directory is found whatever its format, and none begins beside it', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '16M')
  const overlays = await work.directory('overlays')
  const mounted = await work.mount(image, '--overlay', overlays, '--overlay-format', 'fvd')
  await writeFile(mounted.disk, Buffer.alloc(4096, 9), { flag: 'r+' })
  await mounted.unmount()
  const again = await work.mount(image, '--overlay', overlays)
  t.is((await readFile(again.disk))[0], 9)
  await again.unmount()
  const made = join(overlays, 'vm.fvd')
  for (const overlay of [overlays, made]) {
    t.like(
      await work.rawmount(
        'mount',
        '--overlay',
        overlay,
        '--overlay-format',
        'qed',
        image,
        mounted.mountpoint,
      ),
      {
        code: 1,
        stderr: `rawmount: ${made}: is an overlay in the format fvd, and --overlay-format asks for qed; leave that out, or name a file that does not exist yet\n`,
      },
    )
  }
  t.deepEqual(await readdir(overlays), ['vm.fvd'])
  await work.create('overlays/vm.qed', '-b', image)
  t.like(await work.rawmount('mount', '--overlay', overlays, image, mounted.mountpoint), {
    code: 1,
    stderr: `rawmount: ${made}: could be the overlay, and so could ${join(overlays, 'vm.qed')}; name one of them with --overlay, or move the other away\n`,
  })
})

test('a temporary overlay is made in the directory that TMPDIR is to the command', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '16M')
  const mnt = await work.directory('mnt')
  await work.directory('temporary')
  const ended = await run(process.execPath, [PROGRAM, 'mount', '--overlay', 'temp', image, mnt], {
    cwd: work.path,
    env: { TMPDIR: 'temporary' },
  })
  t.like(ended, { code: 0, stderr: '' })
  await work.rawmounts('umount', mnt)
})

test('what cannot be an overlay of the image is refused in one line', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const { image } = await evidence(work)
  const mnt = work.join('mnt')
  const other = await work.create('other.qed', '-b', await work.create('base.qed', '16M'))
  const alone = await work.create('alone.qed', '16M')
  const refused = async (message: string, ...args: string[]) => {
    t.like(await work.rawmount('mount', ...args, image, mnt), { code: 1, stderr: `rawmount: ${message}\n` })
  }
  const next = 'name a file that does not exist yet, or mount the overlay itself'
  await refused(
    `${other}: is on top of ${work.join('base.qed')}, not of ${image}; ${next}`,
    '--overlay',
    other,
  )
  await refused(`${alone}: has no backing file, not of ${image}; ${next}`, '--overlay', alone)
  await refused(
    `${image}: is the image itself, not an overlay on top of it; name a file that does not exist yet`,
    '--overlay',
    image,
  )
  const fresh = work.join('fresh.qed')
  await refused(
    `${fresh}: one overlay cannot stand on several images; give --overlay a directory that is there, or temp`,
    '--overlay',
    fresh,
    other,
  )
  await t.throwsAsync(access(fresh))
  const nowhere = work.join('nowhere')
  await refused(
    `${nowhere}/: no such directory; create it with mkdir, or name a file without the slash`,
    '--overlay',
    `${nowhere}/`,
  )
  await symlink('missing', nowhere)
  await refused(
    `${nowhere}: is a link that leads nowhere; remove it, or name another file`,
    '--overlay',
    nowhere,
  )
  await refused("mount: option '--overlay-format' needs --overlay", '--overlay-format', 'qed')
  await refused(
    "mount: option '--overlay=temp' is for mounts that are written to, and -r is for those that are not: drop one of them",
    '-r',
    '--overlay',
    'temp',
  )
  t.deepEqual(await readdir(mnt), [])
})

test('an overlay that was made for an image in use is taken away again', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '16M')
  const writer = await work.mountAt('writer', image)
  const mnt = await work.directory('mnt')
  const temporary = await work.directory('temporary')
  const fresh = work.join('fresh.qed')
  const overlaid = (TMPDIR: string, overlay: string) =>
    run(process.execPath, [PROGRAM, 'mount', '--overlay', overlay, image, mnt], { env: { TMPDIR } })
  for (const overlay of ['temp', fresh]) {
    const outcome = await overlaid(temporary, overlay)
    t.is(outcome.code, 1)
    t.regex(outcome.stderr, /is being written by another program/)
  }
  t.deepEqual(await readdir(temporary), [])
  await t.throwsAsync(access(fresh))
  const nowhere = work.join('nowhere')
  const outcome = await overlaid(nowhere, 'temp')
  t.like(outcome, {
    code: 1,
    stderr: `rawmount: ${nowhere}: takes no temporary overlay (ENOENT); name another directory with TMPDIR, or give --overlay a file\n`,
  })
  await writer.unmount()
})
