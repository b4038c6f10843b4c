import { on } from 'node:events'
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import test from 'ava'
import { openImage } from '../../src/disk/open.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { fillPattern } from '../support/pattern.js'
import { collect, lacks, run, succeed } from '../support/tools.js'
import { complains, oneLine } from './support/complaint.js'

const MiB = 1024 * 1024
const BASE = 4 * MiB

const ERASE_LINE = '\x1b[K'
const ERASE_SCREEN = '\x1b[J'

/** A base of `size` bytes that are all pattern. */
async function makeBase(work: Scratch, size = BASE): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  fillPattern(bytes, 0, 1, 1)
  await writeFile(work.join('base.raw'), bytes)
  return bytes
}

/** An image of the format on base.raw. */
async function makeImage(work: Scratch, format: 'fvd' | 'qed'): Promise<string> {
  const options = format === 'fvd' ? ['-o', 'compact_image=on,chunk_size=64K'] : []
  const path = work.join(`vm.${format}`)
  await work.rawmounts('create', '-q', '-f', format, '-b', 'base.raw', '-F', 'raw', ...options, path)
  return path
}

/** What the disk shows. */
function contents(path: string): Uint8Array {
  const image = openImage(path)
  try {
    const buffer = new IoBuffer(image.disk.size)
    image.disk.read(0, image.disk.size, buffer, 0)
    return buffer.bytes.slice()
  } finally {
    image.close()
  }
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

interface Line {
  readonly state: string
  readonly reason: string | null
  readonly done: number
  readonly total: number
  readonly remaining: number | null
  readonly read: number
  readonly seconds: number
  readonly independent: boolean
}

function lines(stdout: string): Line[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line)
}

/** Starts a prefetch that would take many seconds, and returns once it has fetched something. */
async function startSlowly(work: Scratch, image: string) {
  const child = work.start(
    ...([process.execPath, PROGRAM, 'prefetch', '--rate=512K', '--output=json', image] as const),
  )
  const outcome = collect(child)
  let said = ''
  for await (const [text] of on(child.stdout!, 'data')) {
    said += text
    if (/"done":[1-9]/.test(said)) break
  }
  return { child, outcome }
}

test('prefetch fetches all that an FVD image has in its base, which is not needed any more', async t => {
  const work = await scratch(t)
  const base = await makeBase(work)
  const image = await makeImage(work, 'fvd')
  const said = await work.rawmounts('prefetch', image)
  t.regex(
    said,
    /^\S+vm\.fvd: 4 MiB fetched in [\d.]+ s \(.*\/s\), nothing is left in base\.raw, and it is not needed any more\n$/,
  )
  await rm(work.join('base.raw'))
  t.true(sameBytes(contents(image), base))
  t.is(await work.rawmounts('prefetch', image), `${image}: needs no base: there is nothing to fetch\n`)
  t.regex(await work.rawmounts('check', image), /^No errors/m)
})

test('prefetch leaves the name of the base in a QED image, and says how --detach takes it away', async t => {
  const work = await scratch(t)
  const base = await makeBase(work)
  const image = await makeImage(work, 'qed')
  const hint = `it is still named in the header: 'rawmount prefetch --detach ${image}' takes the name away\n`
  t.true((await work.rawmounts('prefetch', image)).endsWith(`nothing is left in base.raw; ${hint}`))
  t.is(await work.rawmounts('prefetch', image), `${image}: nothing was left in base.raw; ${hint}`)
  t.is(
    await work.rawmounts('prefetch', '--detach', image),
    `${image}: nothing was left in base.raw, and it is not needed any more\n`,
  )
  t.false((await work.rawmounts('info', image)).includes('base.raw'))
  await rm(work.join('base.raw'))
  t.true(sameBytes(contents(image), base))
  t.regex(await work.rawmounts('check', image), /^No errors/m)
})

test('a prefetch of an image without a base has nothing to do, and leaves the image as it is', async t => {
  const work = await scratch(t)
  const image = await work.create('alone.qed', '1M')
  const before = await readFile(image)
  t.is(await work.rawmounts('prefetch', image), `${image}: needs no base: there is nothing to fetch\n`)
  t.is(await work.rawmounts('prefetch', '-q', image), '')
  t.like(lines(await work.rawmounts('prefetch', '--output', 'json', image)), [
    { state: 'done', remaining: 0, read: 0, independent: true },
  ])
  t.deepEqual(await readFile(image), before)
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends a prefetch cleanly with ${code}, and the same command goes on from there`, async t => {
    const work = await scratch(t)
    const base = await makeBase(work)
    const image = await makeImage(work, 'fvd')
    const { child, outcome } = await startSlowly(work, image)
    child.kill(signal)
    const ended = await outcome
    t.is(ended.code, code)
    oneLine(t, ended.stderr)
    t.regex(
      ended.stderr,
      new RegExp(`ended by ${signal}; .* of 4 MiB \\(\\d+%\\) are in the image, and kept`),
    )
    const stopped = lines(ended.stdout).at(-1)!
    t.like(stopped, { state: 'stopped', reason: signal, total: BASE, independent: false })
    t.true(stopped.done > 0 && stopped.done < BASE)
    t.false((await work.rawmounts('check', image)).includes('not closed cleanly'))
    const rest = lines(await work.rawmounts('prefetch', '--output=json', image)).at(-1)!
    t.like(rest, { state: 'done', remaining: 0, done: BASE, independent: true })
    // What was there was not fetched again.
    t.is(rest.read, BASE - stopped.done)
    t.true(sameBytes(contents(image), base))
  })
}

test('with --rate no more is fetched in a second', async t => {
  const work = await scratch(t)
  await makeBase(work)
  const image = await makeImage(work, 'fvd')
  const stdout = await work.rawmounts('prefetch', '--rate', '2M', '--output', 'json', image)
  const all = lines(stdout)
  t.true(all.length >= 2, stdout)
  t.like(all[0], { state: 'running', total: BASE, reason: null })
  // A machine that is busy makes it slower, never faster.
  t.true(all.at(-1)!.seconds > 1.5, stdout)
})

test('where nothing is a terminal there is one line at the end, and none with -q', async t => {
  const work = await scratch(t)
  await makeBase(work)
  const [fvd, qed] = [await makeImage(work, 'fvd'), await makeImage(work, 'qed')]
  t.regex(await work.rawmounts('prefetch', fvd), /^[^\n\r]+\n$/)
  t.is(await work.rawmounts('prefetch', '-q', qed), '')
})

test('on a terminal a bar is drawn in place, and the last line stands in its place', async t => {
  if (lacks(t, 'script')) return
  const work = await scratch(t)
  await makeBase(work)
  const image = await makeImage(work, 'fvd')
  const command = `'${process.execPath}' '${PROGRAM}' prefetch --rate 3M '${image}'`
  const { code, stdout } = await run('script', ['-qec', command, '/dev/null'])
  t.is(code, 0)
  const drawn = stdout.split('\r').filter(text => text.includes(ERASE_LINE))
  t.true(drawn.length >= 2)
  for (const text of drawn)
    t.true(text.replaceAll(ERASE_LINE, '').replaceAll(ERASE_SCREEN, '').length < 80, text)
  t.true(drawn.some(text => /^\[[=> ]+\] +\d+% +[\d.]+ [KM]iB of 4 MiB/.test(text)))
  t.regex(stdout.slice(stdout.lastIndexOf(`\r${ERASE_SCREEN}`) + 4), /^\S+vm\.fvd: 4 MiB fetched/)
})

test('a base that fails ends a prefetch with what is kept; when it is well again, the same command goes on', async t => {
  const work = await scratch(t)
  const base = await makeBase(work)
  const image = await makeImage(work, 'fvd')
  const { outcome } = await startSlowly(work, image)
  await truncate(work.join('base.raw'), 512)
  const ended = await outcome
  t.is(ended.code, 1)
  oneLine(t, ended.stderr)
  t.regex(
    ended.stderr,
    /base\.raw.*; .* of 4 MiB \(\d+%\) are in the image, and kept; the same command goes on/,
  )
  t.notRegex(ended.stderr, /trying again/)
  t.like(lines(ended.stdout).at(-1), { state: 'failed', independent: false })
  await writeFile(work.join('base.raw'), base)
  await work.rawmounts('prefetch', '-q', image)
  t.true(sameBytes(contents(image), base))
})

test('a base whose server dies ends a prefetch, too', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  await makeBase(work)
  const mounted = await work.mount(work.join('base.raw'), '--format', 'raw', '-r')
  const image = work.join('vm.qed')
  await work.rawmounts('create', '-q', '-f', 'qed', '-b', mounted.disk, '-F', 'raw', image)
  const { outcome } = await startSlowly(work, image)
  process.kill((await mounted.status()).pid, 'SIGKILL')
  const ended = await outcome
  t.is(ended.code, 1)
  oneLine(t, ended.stderr)
  // Closing a base of a dead server fails, too, and matters to nobody.
  t.regex(ended.stderr, /disk\.raw: .*ENOTCONN; .* are in the image, and kept/)
  await mounted.unmount()
})

test('a full disk ends a prefetch; with room again, the same command goes on', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const base = await makeBase(work)
  const small = await work.directory('small')
  await succeed('mount', '-t', 'tmpfs', '-o', 'size=2M', 'tmpfs', small)
  const image = `${small}/vm.qed`
  await work.rawmounts('create', '-q', '-f', 'qed', '-b', work.join('base.raw'), '-F', 'raw', image)
  complains(t, await work.rawmount('prefetch', image), image, 'ENOSPC', 'the same command goes on')
  await succeed('mount', '-o', 'remount,size=32M', small)
  await work.rawmounts('prefetch', '-q', image)
  t.true(sameBytes(contents(image), base))
})

test('an image that cannot be fetched into is refused in one line', async t => {
  const work = await scratch(t)
  await makeBase(work)
  const image = await makeImage(work, 'qed')
  const other = openImage(image, { writable: true })
  try {
    complains(t, await work.rawmount('prefetch', image), image, 'is being written by another program')
  } finally {
    other.close()
  }
  complains(t, await work.rawmount('prefetch', work.join('no.qed')), 'no.qed', 'does not exist')
  complains(t, await work.rawmount('prefetch', work.join('base.raw')), 'base.raw', '--format raw')
  await rm(work.join('base.raw'))
  complains(t, await work.rawmount('prefetch', image), "backing file 'base.raw' does not exist")
  for (const rate of ['0', '-1', '100', 'fast']) {
    complains(t, await work.rawmount('prefetch', `--rate=${rate}`, image), "prefetch: option '--rate'")
  }
})
