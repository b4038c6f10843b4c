import { readFile, truncate, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { type Scratch, scratch } from '../support/mounting.js'
import { succeed } from '../support/tools.js'
import { complains } from './support/complaint.js'
import { type Field, setBackingName, setFields } from './support/qed-header.js'

/**
 * Files from strangers: every command that opens one says in one line what is wrong and with which file, ends with
 * 1, and changes nothing. All go through the same open, so of many alike only the first is tried with all of them,
 * the others with the one that writes.
 */
const REPAIR = ['check', '-r', 'all']
const COMMANDS = [REPAIR, ['info'], ['check'], ['map']]

async function refused(
  t: ExecutionContext,
  work: Scratch,
  commands: readonly (readonly string[])[],
  file: string,
  ...words: string[]
): Promise<void> {
  const before = await readFile(file)
  for (const command of commands) complains(t, await work.rawmount(...command, file), file, ...words)
  t.deepEqual(await readFile(file), before)
}

const MAX32 = 0xffff_ffff
const MAX64 = 0xffff_ffff_ffff_ffffn

/** On an image of 1 MiB with clusters of 64 KiB, tables of 4 clusters, and a file of 5 clusters. */
const HOSTILE: Partial<Record<Field, readonly (number | bigint)[]>> = {
  cluster_size: [0, 1, 512, 2048, 65537, 3 << 15, 128 << 20, MAX32],
  table_size: [0, 3, 5, 32, MAX32],
  header_size: [0, 6, 1 << 16, MAX32],
  features: [8, 1n << 63n, MAX64],
  l1_table_offset: [0, 1, 65535, 65537, 2 << 16, 5 << 16, 1n << 53n, MAX64],
  image_size: [1, 1000, (1n << 63n) - 511n, 1n << 63n, MAX64],
}

for (const [field, values] of Object.entries(HOSTILE)) {
  test(`a header whose ${field} cannot be is refused`, async t => {
    const work = await scratch(t)
    const image = await work.create('a.qed', '1M')
    for (const [at, value] of values.entries()) {
      await setFields(image, { [field]: value })
      await refused(t, work, at === 0 ? COMMANDS : [REPAIR], image, field === 'features' ? 'features' : '')
    }
  })
}

test('a backing file name that cannot be is refused', async t => {
  const work = await scratch(t)
  const cases: [Partial<Record<Field, number>>, string][] = [
    [{ backing_filename_offset: 64, backing_filename_size: 0 }, 'empty'],
    [{ backing_filename_offset: 64, backing_filename_size: 65536 }, '65536'],
    [{ backing_filename_offset: 64, backing_filename_size: MAX32 }, '1023'],
    [{ backing_filename_offset: 0, backing_filename_size: 4 }, 'backing_filename_offset'],
    [{ backing_filename_offset: 63, backing_filename_size: 4 }, 'backing_filename_offset'],
    [{ backing_filename_offset: 65533, backing_filename_size: 4 }, 'backing_filename_offset'],
    [{ backing_filename_offset: MAX32, backing_filename_size: 1023 }, 'backing_filename_offset'],
    [{ backing_filename_offset: 64, backing_filename_size: 9 }, 'NUL'],
  ]
  const image = await work.create('a.qed', '1M')
  for (const [at, [fields, word]] of cases.entries()) {
    await setFields(image, { features: 1, ...fields })
    await refused(t, work, at === 0 ? COMMANDS : [REPAIR], image, word)
  }
})

test('a file that was cut off is refused, wherever it was cut', async t => {
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  for (const length of [5 * 65536 - 1, 65537, 65536, 65535, 64, 63, 4, 3, 1]) {
    await truncate(image, length)
    await refused(t, work, length === 64 ? COMMANDS : [REPAIR], image)
  }
})

test('a file of unknown format is refused with the way to open it as raw', async t => {
  const work = await scratch(t)
  for (const [name, content] of [
    ['empty', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(65536)],
    ['garbage', Buffer.from('garbage, but for a disk?'.repeat(1000))],
  ] as const) {
    await writeFile(work.join(name), content)
    await refused(t, work, COMMANDS, work.join(name), '--format raw')
  }
})

test('an image of a format that is not opened here is refused by its name', async t => {
  const work = await scratch(t)
  await writeFile(work.join('a.vmdk'), Buffer.concat([Buffer.from('KDMV'), Buffer.alloc(65536)]))
  await refused(t, work, COMMANDS, work.join('a.vmdk'), 'VMDK', 'qemu-img')
})

test('a format that does not exist, or is not that of the file, is refused', async t => {
  const work = await scratch(t)
  await writeFile(work.join('zeros'), Buffer.alloc(65536))
  for (const command of COMMANDS) {
    complains(t, await work.rawmount(...command, '-f', 'qcow9', work.join('zeros')), 'qcow9', 'qed, raw')
    complains(t, await work.rawmount(...command, '-f', 'qed', work.join('zeros')), 'zeros', 'QED')
  }
})

test('what is no file that could be an image is refused', async t => {
  const work = await scratch(t)
  await succeed('mkfifo', work.join('fifo'))
  for (const command of [REPAIR, ['map']]) {
    complains(t, await work.rawmount(...command, work.join('none')), 'none', 'does not exist')
    complains(t, await work.rawmount(...command, work.path), work.path, 'directory')
    complains(t, await work.rawmount(...command, work.join('fifo')), 'fifo', 'FIFO')
    complains(t, await work.rawmount(...command, '/dev/null'), '/dev/null', 'device')
    complains(t, await work.rawmount(...command, '/dev/null/x'), '/dev/null/x')
    complains(t, await work.rawmount(...command, work.join('x'.repeat(300))), 'xxx')
    complains(t, await work.rawmount(...command))
    complains(t, await work.rawmount(...command, '--fromat=qed', 'x'), "did you mean '--format'?")
  }
})

test('a hostile name prints no line of its own and no escape sequence', async t => {
  const work = await scratch(t)
  complains(t, await work.rawmount('info', work.join('a\nrawmount: all is well\x1b[2J')), '\\n', '\\x1b')
  const image = await work.create('top.qed', '1M')
  await setBackingName(image, 'b\n\x1b[31mred')
  complains(t, await work.rawmount('map', image), 'backing file')
  const info = await work.rawmounts('info', image)
  t.false(info.includes('\x1b'))
  t.notRegex(info, /^\S*red/m)
})

test('a backing file that leads astray is refused by name', async t => {
  const work = await scratch(t)
  await succeed('mkfifo', work.join('fifo'))
  const leadsTo = async (target: string, ...words: string[]): Promise<void> => {
    const image = await work.create(`${words[0]!.replace(/\W/g, '')}.qed`, '1M')
    await setBackingName(image, target)
    const before = await readFile(image)
    complains(t, await work.rawmount('map', image), image, ...words)
    complains(t, await work.rawmount('info', '--backing-chain', image), image, ...words)
    t.is((await work.rawmount('info', image)).code, 0)
    t.deepEqual(await readFile(image), before)
  }
  await leadsTo('fifo', 'FIFO')
  await leadsTo('missing.qed', 'does not exist', 'missing.qed')
  await leadsTo('/dev/zero', 'character device', '/dev/zero')
  await leadsTo('.', 'directory')
  await leadsTo('nbd://host/export', 'not the name of a file')
  await leadsTo('x'.repeat(1000), 'too long')
  await leadsTo('circle.qed', 'circle')
})

test('a chain of more than ten images is refused', async t => {
  const work = await scratch(t)
  await work.create('0.qed', '1M')
  for (let at = 1; at <= 10; at++) {
    await work.create(`${at}.qed`, '-u', '-b', `${at - 1}.qed`, '1M')
  }
  t.is((await work.rawmount('map', work.join('9.qed'))).code, 0)
  complains(t, await work.rawmount('map', work.join('10.qed')), 'limit is 10')
})

test('--backing decides which backing files are opened', async t => {
  const work = await scratch(t)
  await work.directory('other')
  await work.create('other/base.qed', '1M')
  await work.create('near.qed', '1M')
  const far = await work.create('far-top.qed', '-b', 'other/base.qed')
  const near = await work.create('near-top.qed', '-b', 'near.qed')
  t.is((await work.rawmount('map', '--backing=same-dir', near)).code, 0)
  complains(t, await work.rawmount('map', '--backing=same-dir', far), 'other/base.qed', '--backing=follow')
  complains(t, await work.rawmount('map', '--backing=deny', near), 'near.qed', '--backing=follow')
})
