import { readFile } from 'node:fs/promises'
import test from 'ava'
import { listedOptions } from '../../src/commands/arguments/listed-options.js'
import { helpOf, overview } from '../../src/commands/manual/help.js'
import { type ManualPage, manual } from '../../src/commands/manual/pages.js'
import { commandNames, commands } from '../../src/commands/table.js'
import { scratch } from '../support/mounting.js'
import { lacks, run, succeed, told } from '../support/tools.js'

const pages = manual({ version: '1.2.3', date: '2026-01-31' })

function page(name: string): ManualPage {
  return pages.find(page => page.name === name)!
}

/** As it is read on a terminal, without emphasis. */
async function shown({ text }: ManualPage): Promise<string> {
  const args = ['-man', '-Tascii', '-P-cbou', '-rLL=500n']
  return told('groff', args, await run('groff', args, { input: text }))
}

/** The names of options as --help and the manual print them: at the start of a line, after its indent. */
function optionsIn(text: string): string[] {
  return [...text.matchAll(/^ {2,}(?:(-\w), )?(--[\w-]+)/gm)].flatMap(([, short, long]) =>
    short === undefined ? [long!] : [short, long!],
  )
}

test('the manual has the options of each command that --help has, in that order, with the same words', async t => {
  if (lacks(t, 'groff')) return
  for (const name of commandNames) {
    const text = await shown(page(`rawmount-${name}`))
    const help = helpOf(commands[name])
    t.deepEqual(optionsIn(text), optionsIn(help), name)
    t.true(optionsIn(help).includes('--help'))
    const words = (all: string) => all.replace(/\s+/g, ' ')
    for (const { help: what } of Object.values(commands[name].options)) {
      t.true(words(text).includes(what), `${name}: ${what}`)
      t.true(words(help).includes(what), `${name}: ${what}`)
    }
  }
  t.deepEqual(optionsIn(await shown(page('rawmount'))), optionsIn(overview()))
})

test('mount.rawmount(8) has every word of -o', async t => {
  if (lacks(t, 'groff')) return
  const text = await shown(page('mount.rawmount'))
  for (const { key, valueName } of listedOptions())
    t.regex(text, new RegExp(`^ {7}${key}${valueName === null ? '' : '='}`, 'm'), key)
})

test('mount.rawmount(8) says how it ends, what umount takes, and what the words of mount(8) mean', async t => {
  if (lacks(t, 'groff')) return
  const text = await shown(page('mount.rawmount'))
  for (const code of [0, 1, 32]) t.regex(text, new RegExp(`^EXIT STATUS\\n(.+\\n|\\n)* {7}${code} `, 'm'))
  for (const option of ['-l, --lazy', '-f, --force']) t.regex(text, new RegExp(`^ {7}${option}$`, 'm'))
  for (const word of ['users', 'remount', 'suid', 'dev', 'nofail'])
    t.regex(text, new RegExp(`^MOUNT OPTIONS\\n(.+\\n|\\n)*.*\\b${word}\\b`, 'm'), word)
  t.notRegex(text, /the help of the command/)
})

test('rawmount(1) names every file of .rawmount, and what the program takes from the environment', async t => {
  if (lacks(t, 'groff')) return
  const text = await shown(page('rawmount'))
  for (const name of ['status.json', 'metrics', 'map.json', 'partitions.json'])
    t.true(text.includes(`MOUNTPOINT/.rawmount/${name}`), name)
  for (const name of ['DEBUG', 'RAWMOUNT_HTTP_TIMEOUT', 'NOTIFY_SOCKET', 'TMPDIR'])
    t.regex(text, new RegExp(`^ {7}${name}( |$)`, 'm'), name)
})

test('formatters find nothing to complain of', async t => {
  if (lacks(t, 'groff', 'mandoc')) return
  for (const { name, text } of pages) {
    const { stderr } = await run('groff', ['-man', '-ww', '-Tutf8'], { input: text })
    t.is(stderr, '', name)
    const { stdout } = await run('mandoc', ['-Tlint'], { input: text })
    t.is(stdout, '', name)
  }
})

test('what is to be typed is set in the characters that are typed', async t => {
  if (lacks(t, 'groff')) return
  const input = page('rawmount-mount').text
  const text = told('groff', [], await run('groff', ['-man', '-Tutf8', '-P-cbou'], { input }))
  t.regex(text, /-o ro,threads=4/)
  t.notRegex(text, /[‐−‘’]/)
})

test('the package names every page of the manual, and the build writes them with the scripts of the shells', async t => {
  const { man } = JSON.parse(await readFile('package.json', 'utf8')) as { man: string[] }
  const paths = pages.map(({ name, section }) => `man/man${section}/${name}.${section}`)
  t.deepEqual(
    man,
    paths.map(path => `dist/share/${path}`),
    'the "man" of package.json',
  )
  const work = await scratch(t)
  await succeed(process.execPath, 'dist/src/commands/manual/write.js', work.path)
  for (const path of paths) t.regex(await readFile(work.join(path), 'utf8'), /^\.TH [A-Z.-]+ \d \d{4}-/)
  const scripts = [
    'bash-completion/completions/rawmount',
    'zsh/site-functions/_rawmount',
    'fish/vendor_completions.d/rawmount.fish',
  ]
  for (const path of scripts) t.regex(await readFile(work.join(path), 'utf8'), /rawmount/)
})
