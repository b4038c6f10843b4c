import { readFile, writeFile } from 'node:fs/promises'
import test from 'ava'
import { helpOf, overview } from '../../src/commands/manual/help.js'
import { commandNames, commands } from '../../src/commands/table.js'
import { PROGRAM, scratch } from '../support/mounting.js'
import { run } from '../support/tools.js'
import { complains } from './support/complaint.js'

const rawmount = (...args: string[]) => run(process.execPath, [PROGRAM, ...args])

test('the overview names every command, and the help of a command every option and an example', t => {
  for (const name of commandNames) t.regex(overview(), new RegExp(`^  ${name} +\\w`, 'm'))
  for (const command of Object.values(commands)) {
    const help = helpOf(command)
    for (const { long, short } of Object.values(command.options)) {
      t.true(
        help.includes(short === null ? `      --${long}` : `  -${short}, --${long}`),
        `${command.name} --${long}`,
      )
    }
    t.regex(help, /^Examples:\n {2}rawmount /m)
  }
})

test('no line of any help is longer than 100 columns or ends in a blank', t => {
  for (const text of [overview(), ...Object.values(commands).map(helpOf)]) {
    for (const line of text.split('\n')) {
      t.true(line.length <= 100, line)
      t.is(line, line.trimEnd())
    }
  }
})

test('names of options are unique in each command', t => {
  for (const { name, options } of Object.values(commands)) {
    const names = Object.values(options).flatMap(({ long, short }) => [
      long,
      ...(short === null ? [] : [short]),
    ])
    t.is(new Set([...names, 'help', 'h']).size, names.length + 2, name)
  }
})

test('help goes to stdout and is a success, however it is asked for', async t => {
  for (const args of [['--help'], ['-h'], ['help'], ['help', 'help']]) {
    t.deepEqual(await rawmount(...args), { code: 0, signal: null, stdout: overview(), stderr: '' })
  }
  for (const args of [
    ['help', 'check'],
    ['check', '--help'],
    ['check', '-h', 'x.qed'],
  ]) {
    t.deepEqual(await rawmount(...args), {
      code: 0,
      signal: null,
      stdout: helpOf(commands.check),
      stderr: '',
    })
  }
})

test('--version prints the version of the package', async t => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
  for (const option of ['--version', '-V']) {
    t.deepEqual(await rawmount(option), {
      code: 0,
      signal: null,
      stdout: `rawmount ${version}\n`,
      stderr: '',
    })
  }
})

test('a command that does not exist is refused with the one that was meant', async t => {
  complains(t, await rawmount(), 'a command is missing', 'rawmount --help')
  complains(t, await rawmount('frobnicate'), "unknown command 'frobnicate'", 'rawmount --help')
  complains(t, await rawmount('chekc', '-r', 'all', 'x.qed'), "did you mean 'check'?")
  complains(t, await rawmount('ifno', 'x.qed'), "did you mean 'info'?")
  complains(t, await rawmount('help', 'mout'), "did you mean 'mount'?")
})

test('a reader that has seen enough ends the command quietly', async t => {
  const { code, stdout, stderr } = await run('bash', [
    '-c',
    `"${process.execPath}" "${PROGRAM}" --help | true; echo "\${PIPESTATUS[0]}"`,
  ])
  t.is(code, 0)
  t.regex(stdout, /^[01]\n$/)
  t.is(stderr, '')
})

/** The program with a full disk under stdout. */
const full = (...args: string[]) =>
  run('bash', ['-c', '"$@" > /dev/full', '-', process.execPath, PROGRAM, ...args])

test('a full disk under stdout is told and is no success', async t => {
  const { code, stderr } = await full('--help')
  t.is(code, 1)
  t.is(
    stderr,
    'rawmount: stdout: no space left on device (ENOSPC): the output is not complete; all else was done\n',
  )
})

test('what cannot be told is done all the same, and no answer of compare', async t => {
  const work = await scratch(t)
  const one = await work.create('one.qed', '1M')
  for (const output of ['human', 'json']) {
    const { code, stderr } = await full('compare', `--output=${output}`, one, one)
    t.is(code, 2, output)
    t.regex(stderr, /^rawmount: stdout: .*ENOSPC\): the output is not complete.*\n$/)
  }
  const { code, stderr } = await full('convert', '-O', 'fvd', one, work.join('two.fvd'))
  t.is(code, 1)
  t.regex(stderr, /all else was done\n$/)
  t.is((await work.rawmount('compare', '-q', one, work.join('two.fvd'))).code, 0)
})

test('a stdout that breaks while the work goes on does not pass for its end', async t => {
  const work = await scratch(t)
  await writeFile(work.join('base.raw'), Buffer.alloc(16 << 20, 7))
  const image = await work.create('vm.qed', '-b', 'base.raw', '-F', 'raw')
  const { code, stderr } = await full('prefetch', '--rate', '1M', '--output', 'json', image)
  t.is(code, 1)
  t.regex(stderr, /ENOSPC\): the work was not finished; the same command goes on from there\n$/)
})
