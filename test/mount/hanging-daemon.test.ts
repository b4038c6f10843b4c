import { readFile, symlink, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { complains } from '../commands/support/complaint.js'
import { NEEDS, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { collect, lacks, run, until } from '../support/tools.js'

/** A daemon that hangs: no command that looks at the mount hangs with it. */

/** The mount point and daemon of an image, mounted on a directory, or over a file. */
async function mounted(work: Scratch, kind: 'directory' | 'file') {
  const image = await work.create('vm.qed', '1M')
  const mountpoint = work.join('mnt')
  if (kind === 'file') await writeFile(mountpoint, '')
  else await work.directory('mnt')
  await work.rawmounts('mount', image, mountpoint)
  const { pid } = JSON.parse(await work.rawmounts('status', '--output=json', mountpoint)) as { pid: number }
  return { mountpoint, pid }
}

/** Until the test ends at the latest. */
function stop(t: ExecutionContext, pid: number): { go(): void } {
  process.kill(pid, 'SIGSTOP')
  const go = () => {
    try {
      process.kill(pid, 'SIGCONT')
    } catch {
      // it was killed
    }
  }
  t.teardown(go)
  return { go }
}

/** A command, when it has begun to ask the mount. */
async function asking(work: Scratch, ...args: string[]) {
  const before = await askers(work)
  const child = work.start(process.execPath, PROGRAM, ...args)
  const outcome = collect(child)
  await until(async () => (await askers(work)) > before)
  return { child, outcome }
}

/** How many processes wait for the mount's answer. */
async function askers(work: Scratch): Promise<number> {
  const lines = (await work.processes(0)).map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
  return (await Promise.all(lines)).filter(line => line.startsWith('cat\0')).length
}

const COMMANDS = [['status'], ['status', '--watch'], ['dashboard'], ['umount']]

for (const kind of ['directory', 'file'] as const) {
  test(`commands on a ${kind} whose daemon hangs end with a line that names the way out`, async t => {
    if (lacks(t, ...NEEDS.kernel)) return
    const work = await scratch(t)
    const { mountpoint, pid } = await mounted(work, kind)
    const { go } = stop(t, pid)
    const outcomes = await Promise.all(COMMANDS.map(command => work.rawmount(...command, mountpoint)))
    for (const outcome of outcomes) {
      complains(t, outcome, mountpoint, 'its daemon', 'does not answer', `'umount -f ${mountpoint}'`)
    }
    go()
    await work.rawmounts('umount', mountpoint)
    t.deepEqual(await work.processes(10_000), [])
  })
}

test('a hanging daemon is named where the kernel tells it; killed, it leaves a mount that can be taken away', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const { mountpoint, pid } = await mounted(work, 'directory')
  // Since Linux 6.16.
  const isTold = /^fuse_connection:/m.test((await run('sh', ['-c', `cat /proc/${pid}/fdinfo/*`])).stdout)
  stop(t, pid)
  const { stderr } = await work.rawmount('status', mountpoint)
  const name = isTold ? `its daemon (process ${pid})` : 'its daemon'
  t.true(stderr.includes(`: ${name} does not answer: `), stderr)
  process.kill(pid, 'SIGKILL')
  await work.rawmounts('umount', mountpoint)
  t.deepEqual(await work.processes(10_000), [])
})

test('umount -f with its helper ends a mount whose daemon hangs', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const { mountpoint, pid } = await mounted(work, 'directory')
  const { go } = stop(t, pid)
  const helper = work.join('umount.fuse.rawmount')
  await symlink(PROGRAM, helper)
  t.like(await run(process.execPath, [helper, mountpoint, '-f']), { code: 0, stderr: '' })
  complains(t, await work.rawmount('status', mountpoint), 'nothing is mounted here')
  go()
  t.deepEqual(await work.processes(10_000), [])
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`the first ${signal} ends a command that waits for a daemon that hangs`, async t => {
    if (lacks(t, ...NEEDS.kernel)) return
    const work = await scratch(t)
    const { mountpoint, pid } = await mounted(work, 'directory')
    const { go } = stop(t, pid)
    for (const command of COMMANDS) {
      const { child, outcome } = await asking(work, ...command, mountpoint)
      child.kill(signal)
      t.like(await outcome, { code: null, signal, stdout: '', stderr: '' }, command.join(' '))
    }
    go()
    // What asked for them ends by itself, and makes the mount busy until then.
    await until(async () => (await askers(work)) === 0)
    await work.rawmounts('umount', mountpoint)
  })
}

test('a dashboard says that its mount is silent, and the first signal ends it', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const { mountpoint, pid } = await mounted(work, 'directory')
  const child = work.start(process.execPath, PROGRAM, 'dashboard', mountpoint)
  const outcome = collect(child)
  const url = await new Promise<string>(resolve =>
    child.stdout!.once('data', text => resolve(`${text}`.trim())),
  )
  const state = async () => ((await (await fetch(`${url}data`)).json()) as { state: string }).state
  await until(async () => (await state()) === 'well')
  const { go } = stop(t, pid)
  await until(async () => (await state()) === 'silent')
  child.kill('SIGINT')
  t.like(await outcome, { code: 0, signal: null, stderr: '' })
  go()
  await until(async () => (await askers(work)) === 0)
  await work.rawmounts('umount', mountpoint)
})
