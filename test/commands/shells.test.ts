import { writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { listedOptions } from '../../src/commands/arguments/listed-options.js'
import { OWN_OPTIONS, pageOf } from '../../src/commands/manual/page.js'
import { commandNames, commands } from '../../src/commands/table.js'
import { NEEDS, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { lacks, run, succeed } from '../support/tools.js'
import { complains } from './support/complaint.js'
import { offers, SHELLS, type Shell, typed } from './support/shells.js'

/** Names without the signs that some shells add: "--cache=" is --cache. */
function names(offered: readonly string[]): string[] {
  return offered
    .filter(word => !word.startsWith('-o ')) // of readline
    .map(word => word.replace(/=$/, ''))
    .sort()
}

async function offered(t: ExecutionContext, work: Scratch, shell: Shell, cases: Record<string, string[]>) {
  const lines = Object.keys(cases)
  const got = await offers(work, shell, lines)
  lines.forEach((line, at) => {
    t.deepEqual(names(got[at]!), [...cases[line]!].sort(), `${shell}: ${line}`)
  })
}

for (const shell of SHELLS) {
  const missing = (t: ExecutionContext) => lacks(t, shell, 'script')

  test(`${shell} offers the options of each command that --help shows, and no others`, async t => {
    if (missing(t)) return
    const cases: Record<string, string[]> = {}
    const written = (options: readonly { short: string | null; long: string }[]) =>
      options.flatMap(({ short, long }) => [...(short === null ? [] : [`-${short}`]), `--${long}`])
    for (const command of Object.values(commands))
      cases[`rawmount ${command.name} -`] = written(pageOf(command).options)
    cases['rawmount -'] = written(OWN_OPTIONS)
    cases['rawmount mount -o '] = ['ro', 'rw', ...listedOptions().map(({ key }) => key)]
    await offered(t, await scratch(t), shell, cases)
  })

  test(`${shell} offers commands, and the values that an option can have`, async t => {
    if (missing(t)) return
    const work = await scratch(t)
    await offered(t, work, shell, {
      'rawmount help ': [...commandNames, 'help'],
      'rawmount che': ['check'],
      'rawmount mount --cache w': ['writeback', 'writethrough'],
      'rawmount mount -r -f --threads 2 --cache w': ['writeback', 'writethrough'],
      'rawmount check -r ': ['leaks', 'all'],
      'rawmount create -f ': ['fvd', 'qed', 'raw'],
      'rawmount convert -O ': ['fvd', 'qed', 'raw'],
      'rawmount measure -O ': ['fvd', 'qed', 'raw'],
      'rawmount completion ': [...SHELLS],
      'rawmount mount --threads ': [],
    })
    const [value, key, image] = await offers(work, shell, [
      'rawmount mount --cache=n',
      'rawmount mount -o ro,cache=n',
      'rawmount /dev/null /mnt -o ro,comm',
    ])
    // The shells differ in how much of the word they say again.
    t.regex(value!.join(), /^(--cache=)?none$/)
    t.regex(key!.join(), /^(ro,cache=)?none$/)
    t.regex(image![0]!, /^(ro,)?commit_interval=?$/)
  })

  test(`${shell} offers files for images, mount points, and options that take a file`, async t => {
    if (missing(t)) return
    const work = await scratch(t)
    await work.directory('folder')
    await writeFile(work.join('follow.qed'), '')
    const befores = ['mount ', 'mount -o ro ', 'mount --threads 2 a.qed b.qed ', 'mount --overlay ', 'check ']
    const got = await offers(
      work,
      shell,
      befores.map(before => `rawmount ${before}${work.path}/fol`),
    )
    // bash leaves them to readline.
    const expected = shell === 'bash' ? /^-o default$/ : /\bfolder\/? \S*\bfollow.qed$/
    got.forEach((files, at) => {
      t.regex(files.sort().join(' '), expected, befores[at])
    })
  })

  test(`${shell} offers the mount points of rawmount where one is wanted`, async t => {
    if (missing(t) || lacks(t, ...NEEDS.kernel)) return
    const work = await scratch(t)
    const mount = await work.mountAt('a mount', await work.create('vm.qed', '1M'))
    const [all] = await offers(work, shell, ['rawmount umount ', 'rawmount status '])
    t.true(all!.map(each => each.replaceAll('\\', '')).includes(mount.mountpoint), `${all}`)
    t.false(all!.includes('/proc'))
    await mount.unmount()
  })
}

for (const shell of ['bash', 'zsh'] as const) {
  test(`what ${shell} completes is what rawmount gets`, async t => {
    if (lacks(t, shell, 'script')) return
    const work = await scratch(t)
    await writeFile(work.join('my disk.qed'), '')
    // The blank ends a word that could go on: zsh leaves that to who types.
    const next = shell === 'zsh' ? '\t ' : '\t'
    const keys = `rawmount mou\t--cac\tnon${next}-o ro,cop\tof${next}my\t\r`
    const expected = ['mount', '--cache=none', '-o', 'ro,copy_on_read=off', 'my disk.qed']
    t.deepEqual(await typed(work, shell, keys), expected)
  })
}

test('rawmount completion prints a script that the shell can read', async t => {
  const work = await scratch(t)
  for (const shell of SHELLS) {
    if (lacks(t, shell)) continue
    const script = await succeed(process.execPath, PROGRAM, 'completion', shell)
    const path = work.join(shell)
    await writeFile(path, script)
    const { code, stderr } = await run(shell, ['-n', path])
    t.deepEqual([code, stderr], [0, ''], shell)
  }
})

test('rawmount completion of a shell that it does not know is refused', async t => {
  const rawmount = (...args: string[]) => run(process.execPath, [PROGRAM, ...args])
  complains(t, await rawmount('completion', 'fihs'), "unknown shell 'fihs'", "did you mean 'fish'?")
  complains(t, await rawmount('completion', 'powershell'), 'bash, zsh or fish')
  complains(t, await rawmount('completion'), 'SHELL is missing')
})
