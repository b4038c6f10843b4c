import { fileURLToPath } from 'node:url'
import ava from 'ava'
import { Budget } from '../support/budget.js'
import { NEEDS, scratch } from '../support/mounting.js'
import { seeded } from '../support/random.js'
import { lacks, run } from '../support/tools.js'

// One at a time: each keeps the machine busy by itself.
const test = ava.serial

const EXERCISER = fileURLToPath(new URL('../support/file-exerciser.js', import.meta.url))
const MiB = 1024 * 1024

/** Each with the part of the disk that is worked in: clusters of all sizes, whole and cut ends, several workers. */
const CASES = [
  { name: 'kernel', transport: 'kernel', mount: [], create: [], size: 64 * MiB, offset: 0 },
  {
    name: 'kernel, 4 KiB clusters at the end of the disk',
    transport: 'kernel',
    mount: ['--threads', '4'],
    create: ['-o', 'cluster_size=4K,table_size=2'],
    size: 64 * MiB,
    offset: 60 * MiB,
  },
  {
    name: 'kernel, 2 MiB clusters, writethrough',
    transport: 'kernel',
    mount: ['--cache', 'writethrough'],
    create: ['-o', 'cluster_size=2M'],
    size: 64 * MiB,
    offset: MiB,
  },
  {
    name: 'kernel, no cache',
    transport: 'kernel',
    mount: ['--cache', 'none'],
    create: [],
    size: 64 * MiB,
    offset: 0,
  },
  { name: 'libfuse', transport: 'libfuse', mount: [], create: [], size: 64 * MiB, offset: 0 },
] as const

for (const { name, transport, mount, create, size, offset } of CASES) {
  test(`reads show what was written, by read, O_DIRECT and mmap alike: ${name}`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const budget = new Budget(1)
    const random = seeded(t)
    while (budget.next()) {
      const image = await work.create(`disk${random.word()}.qed`, ...create, `${size}`)
      const mounted = await work.mount(image, '--transport', transport, ...mount)
      // libfuse 2, as fuse-native binds it, has no operation for zeroing.
      const zeroing = transport === 'kernel' ? 'zeroing' : 'plain'
      const seed = `${random.word()}`
      const options = [mounted.disk, seed, '1500', `${offset}`, `${4 * MiB}`, 'direct', zeroing]
      const { code, stderr } = await run(process.execPath, [EXERCISER, ...options])
      t.is(code, 0, `seed ${seed}: ${stderr}`)
      await mounted.unmount()
      t.is((await work.rawmount('check', image)).code, 0)
    }
  })
}
