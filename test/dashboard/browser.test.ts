import { truncate, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { MountReader } from '../../src/dashboard/mount-reader.js'
import { DashboardServer } from '../../src/dashboard/server.js'
import { complains } from '../commands/support/complaint.js'
import { Browser } from '../support/browser.js'
import { NEEDS, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { collect, lacks, succeed, until } from '../support/tools.js'

/**
 * `rawmount dashboard`, on a mount, in a browser; one after the other, as browsers are large. With
 * RAWMOUNT_SCREENSHOT=FILE a picture of one at work is kept there, for the README.
 */
const MiB = 2 ** 20

async function mounted(work: Scratch, name: string, ...options: string[]) {
  await writeFile(work.join('base.raw'), Buffer.alloc(16 * MiB, 7))
  const image = await work.create(name, '-f', 'fvd', '-b', 'base.raw', '-F', 'raw', '24M')
  return work.mount(image, ...options)
}

async function dashboard(t: ExecutionContext, work: Scratch, mountpoint: string) {
  const child = work.start(process.execPath, PROGRAM, 'dashboard', mountpoint)
  const outcome = collect(child)
  t.teardown(() => {
    child.kill()
    return outcome
  })
  let said = ''
  child.stdout!.on('data', text => {
    said += text
  })
  await until(() => said.includes('\n') || child.exitCode !== null)
  return { child, outcome, url: said.trim() }
}

async function open(t: ExecutionContext, work: Scratch, url: string): Promise<Browser> {
  const browser = await Browser.start(t, work)
  await browser.resize(1200, 1000)
  await browser.open(url)
  await until(() => browser.ask('document.querySelectorAll("#cells i").length > 0'))
  return browser
}

const CELLS = '[...document.querySelectorAll("#cells i")].map(cell => cell.dataset.kinds)'
const text = (id: string) => `document.getElementById('${id}').innerText`

test.serial('the map fills while the image is prefetched', async t => {
  if (lacks(t, 'chromium', ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work, 'vm.fvd', '--prefetch=on', '--prefetch-rate=512K', '--copy-on-read=on')
  const { child, outcome, url } = await dashboard(t, work, mount.mountpoint)
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/)
  const browser = await open(t, work, url)
  const full = async () => (await browser.ask<string[]>(CELLS)).filter(kinds => kinds[0] === 'z').length
  t.is(await browser.ask('document.querySelectorAll("#cells i").length'), 384)
  const first = await full()
  t.true(first < 256)
  await until(async () => (await full()) > first)
  t.regex(await browser.ask<string>(text('filling')), /prefetch\s+running/)
  // What is drawn: a cell of the image has another colour than one of the base.
  const color = (depth: number) =>
    `getComputedStyle([...document.querySelectorAll('#cells i')].find(cell => cell.dataset.kinds[${depth}] === 'z')).backgroundColor`
  t.not(await browser.ask(color(0)), await browser.ask(color(1)))
  // What is read is stored, too, as long as there is room for it to wait.
  await until(async () => {
    await succeed('dd', `if=${mount.disk}`, 'of=/dev/null', 'bs=1M', 'count=16', 'iflag=direct')
    return (await full()) === 256
  })
  t.regex(await browser.ask<string>(text('legend')), /in vm\.fvd\s*16 MiB, 66\.7 %\s*zeros\s*8 MiB, 33\.3 %/)
  t.regex(await browser.ask<string>(text('about')), /^fvd · 24 MiB · mounted on \S+mnt /)
  t.true(await browser.ask('document.querySelectorAll("#throughput path").length === 2'))
  t.deepEqual(browser.complaints, [])
  child.kill('SIGINT')
  const { code, stderr } = await outcome
  t.deepEqual([code, stderr], [0, ''])
  await until(async () => /has ended/.test(await browser.ask<string>(text('trouble'))))
})

test.serial('names are shown as they are, and cannot become part of the page', async t => {
  if (lacks(t, 'chromium', ...NEEDS.kernel)) return
  const work = await scratch(t)
  const name = '<img src=x onerror=alert(1)><script>document.title=1<\\script>"&.qed'
  const image = await work.create(name, '1M')
  await work.rawmounts(
    'mount',
    '-r',
    image,
    await work.create('other.qed', '2M'),
    await work.directory('mnt'),
  )
  const { url } = await dashboard(t, work, work.join('mnt'))
  const browser = await Browser.start(t, work)
  await browser.open(url)
  const rows = '[...document.querySelectorAll("#folders tbody tr")]'
  await until(() => browser.ask(`${rows}.length === 2`))
  t.deepEqual(await browser.ask(`${rows}.map(row => row.cells[1].textContent)`), [
    image,
    work.join('other.qed'),
  ])
  const harmless = async () => {
    t.is(await browser.ask('document.querySelectorAll("img, script:not([src])").length'), 0)
    t.deepEqual(browser.complaints, [])
  }
  await harmless()
  await browser.ask(`${rows}[0].querySelector('a').click()`)
  await until(() => browser.ask('document.querySelectorAll("#cells i").length > 0'))
  t.is(await browser.ask(text('name')), name)
  t.true((await browser.ask<string>(text('chain'))).includes(image))
  t.is(await browser.ask('document.title'), `${name} – rawmount`)
  await harmless()
  await browser.ask('document.querySelector("#crumb a").click()')
  await until(() => browser.ask(`${rows}.length === 2`))
})

test.serial('throughput and latency are drawn over time, as far as they are told', async t => {
  if (lacks(t, 'chromium')) return
  const work = await scratch(t)
  let looks = 0
  const read = async () => {
    looks++
    const bounds = [0.0001, 0.001, 0.01, null]
    const counts = [900, 995, 1000, 1000].map(count => count * looks)
    const requests = { reads: 1000 * looks, writes: 0, syncs: 0, others: 0 }
    const bytes = { read: 4e6 * looks, written: 0 }
    const status = { pid: 1, image: 'a.qed', mounted: new Date(), format: 'qed', virtualSize: 1, chain: [] }
    return {
      ...{ time: 1000 * looks, mountpoint: '/mnt', state: 'well', map: null },
      status: { ...status, readOnly: true, requests, bytes, errors: looks > 2 ? 1 : 0, base: null },
      latency: { read: { bounds, counts } },
    }
  }
  const server = await DashboardServer.start({ read } as unknown as MountReader, 0)
  t.teardown(() => server.close())
  const browser = await Browser.start(t, work)
  await browser.open(server.url)
  const tile = (name: string) => browser.ask(`document.querySelector('[data-name=${name}] b')?.textContent`)
  await until(async () => (await tile('latency-high')) === '953 µs')
  t.deepEqual(await Promise.all(['read', 'requests', 'latency'].map(tile)), ['4.0 MB/s', '1,000/s', '56 µs'])
  const paths = (id: string) =>
    `[...document.querySelectorAll('#${id} path')].map(path => path.className.baseVal)`
  t.deepEqual(await browser.ask(paths('throughput')), ['read', 'write'])
  t.deepEqual(await browser.ask(paths('latency')), ['read high', 'read'])
  await until(async () => (await tile('errors')) === '1')
  t.true(await browser.ask('document.querySelector("[data-name=errors]").matches(".bad")'))
  t.deepEqual(browser.complaints, [])
})

test.serial('it fits a phone and a desk, by day and by night', async t => {
  if (lacks(t, 'chromium', ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work, 'vm.fvd', '--copy-on-read=on')
  const { url } = await dashboard(t, work, mount.mountpoint)
  const browser = await open(t, work, url)
  const papers: string[] = []
  for (const scheme of ['light', 'dark'] as const) {
    await browser.scheme(scheme)
    for (const width of [1200, 390]) {
      await browser.resize(width, 900)
      t.is(await browser.ask('document.documentElement.scrollWidth'), width, `${scheme} ${width}`)
    }
    papers.push(await browser.ask('getComputedStyle(document.body).backgroundColor'))
    t.true((await browser.screenshot()).length > 20_000)
  }
  t.not(papers[0], papers[1])
})

test.serial('the dashboard ends with the mount, and the page says so', async t => {
  if (lacks(t, 'chromium', ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work, 'vm.fvd')
  const { outcome, url } = await dashboard(t, work, mount.mountpoint)
  const browser = await open(t, work, url)
  // The dashboard may be looking in that very moment, which makes the mount busy.
  await until(async () => (await work.rawmount('umount', mount.mountpoint)).code === 0)
  await until(async () => /was unmounted/.test(await browser.ask<string>(text('trouble'))))
  const { code, stdout, stderr } = await outcome
  t.deepEqual([code, stderr], [0, ''])
  t.is(stdout, `${url}\n${mount.mountpoint}: unmounted\n`)
})

test.serial('a daemon that is dead is told, not waited for', async t => {
  if (lacks(t, 'chromium', ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work, 'vm.fvd')
  const { url } = await dashboard(t, work, mount.mountpoint)
  const browser = await open(t, work, url)
  process.kill((await mount.status()).pid, 'SIGKILL')
  await until(async () => /does not answer/.test(await browser.ask<string>(text('trouble'))))
  t.is(await browser.ask(text('state')), 'no answer')
  await mount.unmount()
})

test.serial('what is no mount, or a port that is none, is refused in one line', async t => {
  const work = await scratch(t)
  complains(t, await work.rawmount('dashboard', await work.directory('x')), 'nothing is mounted here')
  complains(t, await work.rawmount('dashboard', '--port=70000', work.path), 'takes a number from 1 to 65535')
})

test.serial('a picture of a mount at work', async t => {
  const file = process.env.RAWMOUNT_SCREENSHOT
  if (file === undefined) {
    t.pass('only made when it is asked for')
    return
  }
  const work = await scratch(t)
  await writeFile(work.join('debian.raw'), '')
  await truncate(work.join('debian.raw'), 2048 * MiB)
  for (const [at, length] of [
    [0, 90],
    [300, 420],
    [1100, 160],
    [1700, 60],
  ]) {
    const places = [`seek=${at}`, `count=${length}`, 'bs=1M', 'conv=notrunc']
    await succeed('dd', 'if=/dev/urandom', `of=${work.join('debian.raw')}`, ...places)
  }
  const image = await work.create('mail.fvd', '-f', 'fvd', '-b', 'debian.raw', '-F', 'raw', '2G')
  const mount = await work.mount(image, '--prefetch=on', '--prefetch-rate=3M', '--copy-on-read=on')
  // What a kernel asks for once, and does without, is over before anybody looks.
  await succeed('dd', 'if=/dev/zero', `of=${mount.disk}`, 'bs=1M', 'count=1', 'conv=notrunc,fsync')
  await succeed('stat', mount.mountpoint)
  const { url } = await dashboard(t, work, mount.mountpoint)
  const browser = await open(t, work, url)
  await browser.resize(1200, 985)
  const load = [
    '--direct=1',
    '--rw=randrw',
    '--rwmixread=75',
    '--bsrange=4k-64k',
    '--rate=9m,3m',
    '--size=720m',
  ]
  const job = [
    '--name=guest',
    `--filename=${mount.disk}`,
    '--runtime=100',
    '--time_based',
    '--thinktime=2000',
  ]
  const fio = work.start('fio', ...job, ...load)
  await sleep(95_000)
  await browser.screenshot(file)
  fio.kill()
  await new Promise(resolve => fio.once('exit', resolve))
  t.pass()
})
