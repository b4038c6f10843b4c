import ava from 'ava'
import { NEEDS, scratch, TRANSPORTS } from '../support/mounting.js'
import { lacks, run } from '../support/tools.js'

// One at a time: each keeps the machine busy by itself.
const test = ava.serial

const JOBS = {
  'random 4 KiB writes, O_DIRECT, four at once': [
    '--rw=randwrite',
    '--bs=4k',
    '--direct=1',
    '--ioengine=libaio',
    '--iodepth=4',
  ],
  'random writes of 512 bytes to 128 KiB, buffered': ['--rw=randwrite', '--bsrange=512-128k', '--fsync=50'],
  'sequential 1 MiB writes, O_DIRECT': ['--rw=write', '--bs=1m', '--direct=1'],
  'writes through shared memory': ['--rw=randwrite', '--bs=4k', '--ioengine=mmap'],
} as const

for (const transport of TRANSPORTS) {
  for (const [name, job] of Object.entries(JOBS)) {
    test(`${transport}: fio verifies ${name}`, async t => {
      if (lacks(t, ...NEEDS[transport], 'fio')) return
      const work = await scratch(t)
      const image = await work.create('disk.qed', '64M')
      const mounted = await work.mount(image, '--transport', transport)
      const fixed = ['--name=verified', `--filename=${mounted.disk}`, '--size=24m', '--fallocate=none']
      const checking = [
        '--verify=crc32c',
        '--verify_fatal=1',
        '--do_verify=1',
        '--end_fsync=1',
        '--overwrite=0',
      ]
      const outcome = await run('fio', [...fixed, ...checking, ...job], { cwd: work.path })
      t.is(outcome.code, 0, outcome.stdout + outcome.stderr)
      await mounted.unmount()
      t.is((await work.rawmount('check', image)).code, 0)
    })
  }

  test(`${transport}: fio verifies several jobs that allocate side by side`, async t => {
    if (lacks(t, ...NEEDS[transport], 'fio')) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '-o', 'cluster_size=4K', '64M')
    const options = transport === 'kernel' ? ['--threads', '4'] : []
    const mounted = await work.mount(image, '--transport', transport, ...options)
    const fixed = [
      '--name=side',
      `--filename=${mounted.disk}`,
      '--size=8m',
      '--offset_increment=8m',
      '--numjobs=4',
    ]
    const checking = [
      '--verify=crc32c',
      '--verify_fatal=1',
      '--do_verify=1',
      '--fallocate=none',
      '--end_fsync=1',
    ]
    const job = ['--rw=randwrite', '--bs=4k', '--direct=1', '--group_reporting']
    const outcome = await run('fio', [...fixed, ...checking, ...job], { cwd: work.path })
    t.is(outcome.code, 0, outcome.stdout + outcome.stderr)
    await mounted.unmount()
    t.is((await work.rawmount('check', image)).code, 0)
  })
}
