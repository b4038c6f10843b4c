import { readFile, stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { NEEDS, type Scratch, scratch, TRANSPORTS } from '../support/mounting.js'
import { lacks, run, succeed } from '../support/tools.js'
import { type Family, families } from './support/prometheus.js'

const MiB = 1024 * 1024

async function metrics(...path: string[]): Promise<Family[]> {
  return families(await readFile([...path, '.rawmount/metrics'].join('/'), 'utf8'))
}

/** The value of the one sample with these labels, whatever others it has. */
function value(all: readonly Family[], name: string, labels: Record<string, string> = {}): number {
  const samples = all.flatMap(family => family.samples).filter(sample => sample.name === name)
  const [found, ...others] = samples.filter(sample =>
    Object.entries(labels).every(([key, text]) => sample.labels[key] === text),
  )
  if (found === undefined || others.length > 0) throw new Error(`${name} ${JSON.stringify(labels)}`)
  return found.value
}

async function imageOnBase(work: Scratch): Promise<string> {
  await writeFile(work.join('base.raw'), Buffer.alloc(2 * MiB, 7))
  const image = work.join('a "disk".fvd')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-b', 'base.raw', '-F', 'raw', image)
  return image
}

for (const transport of TRANSPORTS) {
  test(`metrics tell what programs did with the disk (${transport})`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const mount = await work.mount(await imageOnBase(work), '--transport', transport, '--copy-on-read=on')
    const before = await metrics(mount.mountpoint)
    await succeed('dd', `if=${mount.disk}`, 'of=/dev/null', 'bs=64K', 'count=4', 'status=none')
    await succeed(
      'dd',
      'if=/dev/zero',
      `of=${mount.disk}`,
      'bs=8K',
      'count=1',
      'conv=notrunc,fsync',
      'status=none',
    )
    const after = await metrics(mount.mountpoint)
    const grown = (name: string, labels?: Record<string, string>) =>
      value(after, name, labels) - value(before, name, labels)
    t.is(grown('rawmount_written_bytes_total'), 8192)
    t.true(grown('rawmount_read_bytes_total') >= 256 << 10)
    t.true(grown('rawmount_image_base_read_bytes_total') >= 256 << 10)
    t.true(grown('rawmount_image_commit_duration_seconds_count') >= 1)
    t.true(grown('rawmount_image_commit_duration_seconds_sum') > 0)
    for (const op of ['read', 'write', 'sync', 'other']) {
      t.true(grown('rawmount_requests_total', { op }) > 0, op)
      const timed = grown('rawmount_request_duration_seconds_count', { op })
      const all = grown('rawmount_requests_total', { op })
      // The request that reads this is not at its end yet; of reads and writes few are timed.
      if (transport === 'libfuse' || op === 'sync' || op === 'other') t.true(Math.abs(timed - all) <= 1, op)
      else t.true(timed <= all, op)
    }
    t.is(value(after, 'rawmount_info', { mountpoint: mount.mountpoint, transport }), 1)
    t.is(value(after, 'rawmount_image_info', { path: mount.image, format: 'fvd' }), 1)
    t.is(value(after, 'rawmount_image_size_bytes'), 2 * MiB)
    t.is(value(after, 'rawmount_image_prefetch_state', { state: 'off' }), 1)
    t.is(value(after, 'rawmount_image_open_handles'), 0)
    const { latency } = (await mount.status()) as { latency: { read: { p50: number; p99: number } } }
    t.true(latency.read.p50 > 0 && latency.read.p99 >= latency.read.p50)
    await mount.unmount()
  })
}

test('the metrics of many images are in one file, and those of each in its folder', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  await work.create('one.qed', '1M')
  await work.directory('mnt')
  const [one, two, mountpoint] = ['one.qed', 'a "disk".fvd', 'mnt'].map(name => work.join(name))
  await imageOnBase(work)
  await work.rawmounts('mount', one!, two!, mountpoint!)
  await succeed(
    'dd',
    'if=/dev/zero',
    `of=${mountpoint}/one/disk.raw`,
    'bs=4K',
    'count=1',
    'conv=notrunc',
    'status=none',
  )
  const all = await metrics(mountpoint!)
  const folder = await metrics(mountpoint!, 'one')
  for (const found of [all, folder]) {
    t.is(value(found, 'rawmount_image_written_bytes_total', { image: 'one' }), 4096)
    t.is(value(found, 'rawmount_up'), 1)
  }
  t.is(value(all, 'rawmount_images'), 2)
  t.is(value(all, 'rawmount_image_written_bytes_total', { image: 'a "disk"' }), 0)
  t.throws(() => value(folder, 'rawmount_image_size_bytes', { image: 'a "disk"' }))
  await work.rawmounts('umount', mountpoint!)
})

test('the metrics can be read while everybody is at work, as one text of one size', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await work.mount(await imageOnBase(work), '--prefetch=on')
  const path = `${mount.mountpoint}/.rawmount/metrics`
  const busy = run('bash', [
    '-c',
    `for i in {1..20}; do dd if=/dev/zero of="$1" bs=4K count=50 seek=$i conv=notrunc,fsync status=none; done`,
    'bash',
    mount.disk,
  ])
  const { size } = await stat(path)
  let ended = false
  busy.then(() => {
    ended = true
  })
  let last = 0
  do {
    const text = await readFile(path, 'utf8')
    t.is(Buffer.byteLength(text), size)
    const writes = value(families(text), 'rawmount_written_bytes_total')
    t.true(writes >= last)
    last = writes
  } while (!ended)
  t.is((await busy).code, 0)
  await mount.unmount()
})
