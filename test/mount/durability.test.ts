import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import ava from 'ava'
import { BLOCK, batch, lastBatch } from '../support/flushing-writer.js'
import { difference } from '../support/model-disk.js'
import { type Mounted, NEEDS, type Scratch, scratch, TRANSPORTS } from '../support/mounting.js'
import { needsCheck } from '../support/need-check.js'
import { type Random, seeded } from '../support/random.js'
import { lacks, run, succeed, until } from '../support/tools.js'

// One at a time: each keeps the machine busy by itself.
const test = ava.serial

/** What survives when the daemon is killed: all that was flushed. (Power cuts are tested on simulated storage.) */
const WRITER = fileURLToPath(new URL('../support/flushing-writer.js', import.meta.url))
const MiB = 1024 * 1024
const SIZE = 64 * MiB

/** Writes until the daemon is killed, at a random moment; returns the first batch that was not said to be flushed. */
async function writeAndKill(work: Scratch, mounted: Mounted, first: number, random: Random): Promise<number> {
  const { pid } = await mounted.status()
  const writer = work.start(process.execPath, WRITER, mounted.disk, `${SIZE}`, `${first}`)
  const ended = once(writer, 'close')
  let said = ''
  writer.stdout!.setEncoding('utf8').on('data', text => {
    said += text
  })
  await once(writer.stdout!, 'data')
  await sleep(random.below(300))
  process.kill(pid, 'SIGKILL')
  await ended
  const whole = said.slice(0, said.lastIndexOf('\n'))
  return Number(whole.split('\n').at(-1)) + 1
}

/** What is wrong with the batches before `end`; empty when all are there. */
async function lost(mounted: Mounted, end: number): Promise<string[]> {
  const disk = await open(mounted.disk, 'r')
  const wrong: string[] = []
  const got = Buffer.alloc(BLOCK)
  for (let number = 0; number < end; number++) {
    for (const { offset, bytes } of batch(number, SIZE)) {
      await disk.read(got, 0, BLOCK, offset)
      const found = difference(bytes, got, offset)
      if (found !== null) wrong.push(`batch ${number}: ${found}`)
    }
  }
  await disk.close()
  return wrong
}

/** QED has no way to give a leaked cluster back: once leaked, it stays. */
async function atWorstLeaks(work: Scratch, image: string): Promise<boolean> {
  return [0, 3].includes((await work.rawmount('check', image)).code!)
}

for (const transport of TRANSPORTS) {
  for (const backed of [false, true]) {
    const over = backed ? ' over a backing file' : ''
    test(`${transport}: kill -9 of the daemon under load loses nothing that was flushed${over}`, async t => {
      if (lacks(t, ...NEEDS[transport], 'qemu-img')) return
      const work = await scratch(t)
      const random = seeded(t)
      if (backed) {
        const base = await open(work.join('base.raw'), 'w')
        await base.write(Buffer.alloc(SIZE / 2, 0xbb))
        await base.close()
      }
      const image = await work.create(
        'disk.qed',
        ...(backed ? ['-b', 'base.raw', '-F', 'raw'] : []),
        `${SIZE}`,
      )
      let flushed = 0
      for (let round = 0; round < 3 && flushed < lastBatch(SIZE) / 2; round++) {
        const mounted = await work.mount(image, '--transport', transport)
        flushed = await writeAndKill(work, mounted, flushed, random)
        t.deepEqual(await work.processes(5000), [])
        t.true(await atWorstLeaks(work, image))
      }
      t.log(`${flushed} flushed batches over three kills`)
      const mounted = await work.mount(image, '--transport', transport)
      t.deepEqual(await lost(mounted, flushed), [])
      await mounted.unmount()
      t.false(await needsCheck(image))
      t.true(await atWorstLeaks(work, image))
      t.true([0, 3].includes((await run('qemu-img', ['check', image])).code!))
    })
  }
}

test('the commit timer makes writes durable that nobody flushes', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mounted = await work.mount(image, '--cache', 'none', '--commit-interval', '1')
  const disk = await open(mounted.disk, 'r+')
  await disk.write(Buffer.alloc(MiB, 5), 0, MiB, 0)
  await until(async () => (await mounted.status()).metadata.pending === 0)
  process.kill((await mounted.status()).pid, 'SIGKILL')
  await disk.close().catch(() => {}) // its mount is gone
  const again = await work.mount(image)
  const reader = await open(again.disk, 'r')
  t.true((await reader.read(Buffer.alloc(MiB), 0, MiB, 0)).buffer.equals(Buffer.alloc(MiB, 5)))
  await reader.close()
  await again.unmount()
})

test('without a flush, metadata stay pending until the last program has closed the disk', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const mounted = await work.mount(
    await work.create('disk.qed', '16M'),
    '--cache',
    'none',
    '--commit-interval',
    '3600',
  )
  const disk = await open(mounted.disk, 'r+')
  await disk.write(Buffer.alloc(MiB, 5), 0, MiB, 0)
  t.true((await mounted.status()).metadata.pending > 0)
  await disk.close()
  // The release of a file is sent after close() has returned.
  await until(async () => (await mounted.status()).metadata.pending === 0)
  await mounted.unmount()
  t.pass()
})

test('an image at rest is marked clean even while it is mounted', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mounted = await work.mount(image, '--commit-interval', '1')
  await succeed(
    'dd',
    'if=/dev/zero',
    `of=${mounted.disk}`,
    'bs=64K',
    'count=4',
    'conv=notrunc,fsync',
    'status=none',
  )
  await until(async () => !(await needsCheck(image)))
  t.is((await mounted.status()).metadata.pending, 0)
  await mounted.unmount()
})
