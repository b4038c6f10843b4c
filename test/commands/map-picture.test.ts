import { appendFile, link, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import type { ScriptFacts } from '../../src/picture/html.js'
import { Browser } from '../support/browser.js'
import { type Scratch, scratch } from '../support/mounting.js'
import { qemuIo } from '../support/qemu.js'
import { lacks } from '../support/tools.js'
import { complains } from './support/complaint.js'

/** `rawmount map --svg` and `--html`: the picture says what `rawmount map --output json` says. */
const MiB = 2 ** 20

/** QED over raw, with data in both, zeros, and leaked clusters. */
async function image(work: Scratch, name = 'vm.qed'): Promise<string> {
  await writeFile(work.join('base.raw'), Buffer.alloc(4 * MiB, 7))
  const path = await work.create(name, '-b', 'base.raw', '-F', 'raw', '32M')
  await qemuIo(path, 'qed', 'write -P 1 1M 1M', 'write -z 3M 512k', 'write -P 2 20M 64k')
  await appendFile(path, Buffer.alloc(3 * 65536))
  return path
}

function figures(page: string): ScriptFacts {
  return JSON.parse(/id="cells">(.*?)<\/script>/.exec(page)![1]!) as ScriptFacts
}

/** Bytes of each kind over all cells. */
function totals({ labels, cells }: ScriptFacts): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const parts of cells)
    for (let i = 0; i < parts.length; i += 2)
      sums[labels[parts[i]!]!] = (sums[labels[parts[i]!]!] ?? 0) + parts[i + 1]!
  return sums
}

test('the picture has what the list of extents has, and the leaked clusters', async t => {
  if (lacks(t, 'qemu-io')) return
  const work = await scratch(t)
  const path = await image(work)
  const page = await work.rawmounts('map', '--html', '-', path)
  const entries = JSON.parse(await work.rawmounts('map', '--output=json', path)) as {
    depth: number
    length: number
    data: boolean
  }[]
  const sum = (depth: number) =>
    entries.filter(entry => entry.data && entry.depth === depth).reduce((all, { length }) => all + length, 0)
  const found = totals(figures(page))
  t.is(sum(0), MiB + 65536)
  t.is(found[`data in ${path}`], sum(0))
  t.is(found[`data in ${work.join('base.raw')} (backing file)`], sum(1))
  t.is(
    Object.values(found).reduce((all, bytes) => all + bytes, 0),
    32 * MiB,
  )
  t.is(figures(page).cells.length, 512)
  t.regex(page, /leaked: 192 KiB, \d+\.\d %/)
  t.regex(page, /<td>raw<\/td><td class="n">4 MiB<\/td>/)
})

test('the SVG stands alone, names its regions, and is the same each time', async t => {
  if (lacks(t, 'qemu-io')) return
  const work = await scratch(t)
  const path = await image(work)
  const picture = await work.rawmounts('map', '--svg', '-', path)
  t.regex(picture, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /)
  t.true(picture.includes(`<title id="title">${path}</title>`))
  t.regex(picture, /<desc id="desc">data in [^<]*vm\.qed: 1\.06 MiB, 3\.3 %; data in [^<]*base\.raw/)
  t.regex(picture, /<title>0 B to 4 MiB: data in [^<]*<\/title>/)
  t.true(picture.includes('prefers-color-scheme: dark'))
  t.notRegex(picture, /href|url\(|@import/)
  t.is(await work.rawmounts('map', '--svg=-', path), picture)
})

test('a terabyte without data is drawn at once, and small', async t => {
  const work = await scratch(t)
  for (const [format, kind] of [
    ['qed', 'never written, reads as zeros'],
    ['fvd', 'zeros'],
    ['raw', 'zeros'],
  ] as const) {
    const path = await work.create(`a.${format}`, '-f', format, '1T')
    const picture = await work.rawmounts('map', '-f', format, '--svg=-', path)
    t.true(picture.length < 50_000, `${format}: ${picture.length}`)
    t.true(picture.includes(`${kind}: 1 TiB, 100.0 %`), format)
  }
})

test('a picture of before is replaced, also behind a link, and nothing else is', async t => {
  const work = await scratch(t)
  const path = await work.create('vm.qed', '1M')
  const before = await readFile(path)
  complains(t, await work.rawmount('map', '--svg', path, path), 'exists and is no picture', 'another name')
  complains(t, await work.rawmount('map', '--html', work.path, path), 'exists and is no picture')
  t.deepEqual(await readFile(path), before)
  await writeFile(work.join('vm.svg'), '<svg of before')
  await symlink('vm.svg', work.join('link.svg'))
  t.is(await work.rawmounts('map', '--svg', work.join('link.svg'), path), '')
  const drawn = await readFile(work.join('vm.svg'), 'utf8')
  t.regex(drawn, /<\/svg>\n$/)
  // The one of before is let go, not written over: who has it open keeps it whole.
  await link(work.join('vm.svg'), work.join('kept.svg'))
  const { ino } = await stat(work.join('vm.svg'))
  await work.rawmounts('map', `--svg=${work.join('vm.svg')}`, `--html=${work.join('vm.html')}`, path)
  t.not((await stat(work.join('vm.svg'))).ino, ino)
  await work.rawmounts('map', `--html=${work.join('vm.html')}`, path)
})

test('a picture that cannot be written leaves nothing behind and says why', async t => {
  const work = await scratch(t)
  const path = await work.create('vm.qed', '1M')
  complains(
    t,
    await work.rawmount('map', '--svg', work.join('no/vm.svg'), path),
    'no/vm.svg: cannot be written',
  )
  complains(
    t,
    await work.rawmount('map', '--svg', '/dev/full', path),
    '/dev/full: cannot be written',
    'ENOSPC',
  )
  complains(t, await work.rawmount('map', '--svg=-', '--html=-', path), 'cannot both go to stdout')
  complains(t, await work.rawmount('map', '--svg=-', '--output=json', path), 'leave out --svg and --html')
})

test('a name cannot become part of the picture, and the page shows the cell under the pointer', async t => {
  if (lacks(t, 'chromium', 'qemu-io')) return
  const work = await scratch(t)
  const name = `<script>document.title='bad'</script>&"'\u202e\u0007.qed`.replace('/', '\\')
  const path = await image(work, name)
  const files = { svg: work.join('picture.svg'), html: work.join('picture.html') }
  await work.rawmounts('map', `--svg=${files.svg}`, `--html=${files.html}`, path)
  const browser = await Browser.start(t, work)
  await browser.open(pathToFileURL(files.svg).href)
  t.is(await browser.ask('document.querySelectorAll("parsererror, script").length'), 0)
  const shown = path.replace('\u202e', '\\x202e').replace('\u0007', '\\x07')
  t.is(await browser.ask('document.querySelector("title").textContent'), shown)
  await browser.open(pathToFileURL(files.html).href)
  t.is(await browser.ask('document.title'), shown)
  t.is(await browser.ask('document.scripts.length'), 2)
  t.is(await browser.ask('document.getElementById("tip").hidden'), true)
  await browser.resize(1200, 1000)
  const spot = await browser.ask<{ x: number; y: number }>(
    `(box => ({ x: box.left + 15.5 * 14, y: box.top + 5 }))(document.querySelector('.gaps').getBoundingClientRect())`,
  )
  await browser.point(spot.x, spot.y)
  t.regex(
    await browser.ask<string>('document.getElementById("tip").textContent'),
    /^bytes 1048576 to 1114111, from 1 MiB\n64 KiB {2}data in .*\.qed$/,
  )
  t.deepEqual(browser.complaints, [])
})
