import { readFile, symlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { ServiceManager } from '../../src/mount/daemon/service-manager.js'
import { complains } from '../commands/support/complaint.js'
import { DatagramSocket } from '../support/datagrams.js'
import { mountpointsBelow, NEEDS, PROGRAM, scratch } from '../support/mounting.js'
import { collect, lacks, run } from '../support/tools.js'

/** How who started a mount learns that it answers: systemd by NOTIFY_SOCKET, others by a descriptor. */

const UNIT = fileURLToPath(new URL('../../../examples/systemd/rawmount@.service', import.meta.url))

async function prepare(t: ExecutionContext) {
  const work = await scratch(t)
  return { work, image: await work.create('a.qed', '1M'), mountpoint: await work.directory('mnt') }
}

function listen(t: ExecutionContext, name: string): DatagramSocket {
  const socket = new DatagramSocket(name)
  t.teardown(() => socket.close())
  return socket
}

for (const kind of ['path', 'abstract']) {
  test(`${kind}: a service manager is told when the mount answers, and when it ends`, async t => {
    if (lacks(t, ...NEEDS.kernel)) return
    const { work, image, mountpoint } = await prepare(t)
    const name = kind === 'path' ? work.join('notify') : `@${work.path}`
    const manager = listen(t, name)
    const child = work.start(
      'env',
      `NOTIFY_SOCKET=${name}`,
      process.execPath,
      PROGRAM,
      'mount',
      '-f',
      image,
      mountpoint,
    )
    const outcome = collect(child)
    const said = await manager.receive()
    t.deepEqual(await mountpointsBelow(work.path), [mountpoint])
    t.is(said, `READY=1\nSTATUS=${image} on ${mountpoint}\nMAINPID=${child.pid}\n`)
    child.kill('SIGTERM')
    t.is(await manager.receive(), `STOPPING=1\nSTATUS=closing ${image}\n`)
    const { code, stderr } = await outcome
    t.deepEqual([code, stderr], [0, ''])
    t.is(manager.take(), null)
  })
}

test('a service manager that is gone is warned of, and the mount serves', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { work, image, mountpoint } = await prepare(t)
  const socket = work.join('nobody')
  const child = work.start(
    'env',
    `NOTIFY_SOCKET=${socket}`,
    process.execPath,
    PROGRAM,
    'mount',
    '-f',
    image,
    mountpoint,
  )
  const outcome = collect(child)
  const text = await new Promise<string>(resolve => child.stderr!.once('data', resolve))
  t.regex(text, /^rawmount: warning: the service manager cannot be told: \S+nobody: sendto: .*ENOENT/)
  await work.rawmounts('umount', mountpoint)
  t.is((await outcome).code, 0)
})

test('the address of the service manager is kept from children, and a status is one line', async t => {
  const work = await scratch(t)
  const name = work.join('notify')
  const manager = listen(t, name)
  const environment: NodeJS.ProcessEnv = { NOTIFY_SOCKET: name, LANG: 'C' }
  ServiceManager.fromEnvironment(environment)!.stopping('a\nMAINPID=1')
  t.deepEqual(environment, { LANG: 'C' })
  t.is(manager.take(), 'STOPPING=1\nSTATUS=a MAINPID=1\n')
  t.is(ServiceManager.fromEnvironment(environment), null)
})

test('a daemon leaves the service manager of somebody else alone', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { work, image, mountpoint } = await prepare(t)
  const name = `@${work.path}`
  const manager = listen(t, name)
  const env = { NOTIFY_SOCKET: name, RAWMOUNT_TEST_DIRECTORY: work.path }
  t.is((await run(process.execPath, [PROGRAM, 'mount', image, mountpoint], { env })).code, 0)
  await work.rawmounts('umount', mountpoint)
  t.is(manager.take(), null)
})

test('the lines of the unit template start and stop a mount', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { work, image, mountpoint } = await prepare(t)
  await work.directory('bin')
  await symlink(PROGRAM, work.join('bin/rawmount'))
  const variables = { IMAGE: image, MOUNTPOINT: mountpoint, OPTIONS: '--read-only --threads 1' }
  const unit = await readFile(UNIT, 'utf8')
  const name = `@${work.path}`
  const manager = listen(t, name)
  const environment = [
    `NOTIFY_SOCKET=${name}`,
    `PATH=${work.join('bin')}:${dirname(process.execPath)}:${process.env.PATH}`,
  ]
  const start = work.start('env', ...environment, ...commandLine(unit, 'ExecStart', variables))
  const started = collect(start)
  t.regex(await manager.receive(), /^READY=1\n/)
  const stop = collect(work.start('env', ...environment, ...commandLine(unit, 'ExecStop', variables)))
  t.like(await stop, { code: 0, stderr: '' })
  t.like(await started, { code: 0, stderr: '' })
})

/** As systemd takes it apart: ${X} is one word, $X as many as it has. */
function commandLine(unit: string, key: string, variables: Record<string, string>): string[] {
  const line = unit.match(new RegExp(`^${key}=(.*)$`, 'm'))![1]!
  return line.split(' ').flatMap(word => {
    const [, braced, plain] = /^\$(?:\{(\w+)\}|(\w+))$/.exec(word) ?? []
    if (braced !== undefined) return [variables[braced]!]
    return plain === undefined ? [word] : variables[plain]!.split(' ')
  })
}

test('systemd finds nothing wrong with the unit template', async t => {
  if (lacks(t, 'systemd-analyze')) return
  const { code, stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', UNIT])
  t.deepEqual([code, stdout, stderr], [0, '', ''])
})

/** Runs `rawmount mount` with descriptor 20 a pipe, and returns what came out of it, to its end. */
async function readReady(work: { path: string }, ...args: string[]) {
  const script = 'set -o pipefail; "$@" 20>&1 >&2 | od -An -c'
  const env = { RAWMOUNT_TEST_DIRECTORY: work.path }
  return run(
    'bash',
    ['-c', script, 'bash', process.execPath, PROGRAM, 'mount', '--ready-fd', '20', ...args],
    {
      env,
    },
  )
}

test('--ready-fd gets a line feed and its end when the mount answers, and only the end when it cannot', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { work, image, mountpoint } = await prepare(t)
  t.like(await readReady(work, image, mountpoint), { code: 0, stdout: '  \\n\n', stderr: '' })
  // The daemon does not keep it open, or the reader would still wait.
  t.deepEqual(await mountpointsBelow(work.path), [mountpoint])
  t.like(await readReady(work, image, mountpoint), { code: 1, stdout: '' })
  await work.rawmounts('umount', mountpoint)
})

test('a --ready-fd that nobody opened is refused, whatever Node has there', async t => {
  const { work, image, mountpoint } = await prepare(t)
  for (const fd of ['3', '4', '5', '1000']) {
    complains(
      t,
      await work.rawmount('mount', `--ready-fd=${fd}`, image, mountpoint),
      `${fd} is not`,
      `'${fd}>FILE'`,
    )
  }
  t.deepEqual(await mountpointsBelow(work.path), [])
})
