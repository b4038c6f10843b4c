import { readFile, writeFile } from 'node:fs/promises'
import { SHELLS, type Shell, scriptFor } from '../../../src/commands/shells/scripts.js'
import type { Scratch } from '../../support/mounting.js'
import { collect, succeed, until } from '../../support/tools.js'

export { SHELLS, type Shell }

/** What a shell offers for a line that is being typed, in no order. */
export type Offers = (line: string) => Promise<string[]>

/** For each line, what a real shell with the script of `rawmount completion` offers at its end. */
export async function offers(work: Scratch, shell: Shell, lines: readonly string[]): Promise<string[][]> {
  const script = work.join(`completion.${shell}`)
  await writeFile(script, scriptFor(shell))
  if (shell === 'fish') return Promise.all(lines.map(line => fishOffers(script, line)))
  const setUp = shell === 'bash' ? BASH_PROBE : ZSH_PROBE
  await type(work, shell, `${setUp}\n`, script, lines.map(line => `${line}\t\x15`).join(''), lines.length)
  const records = (await readFile(work.join('out'), 'utf8')).split('== \n').slice(1)
  return records.map(record => [...new Set(record.split('\n').filter(word => word !== ''))])
}

/** What rawmount is called with when the keys (TAB and Enter among them) are typed to a real shell. */
export async function typed(work: Scratch, shell: 'bash' | 'zsh', keys: string): Promise<string[]> {
  const script = work.join(`completion.${shell}`)
  await writeFile(script, scriptFor(shell))
  const call = `rawmount() { printf '== \\n' >> out; printf '%s\\n' "$@" >> out; }`
  await type(
    work,
    shell,
    `${shell === 'zsh' ? ZSH_START : 'source completion.bash'}\n${call}\n`,
    script,
    keys,
    1,
  )
  return (await readFile(work.join('out'), 'utf8')).split('\n').slice(1, -1)
}

async function fishOffers(script: string, line: string): Promise<string[]> {
  const out = await succeed(
    'fish',
    '--no-config',
    '-c',
    `source ${script}; complete -C ${JSON.stringify(line)}`,
  )
  return out
    .split('\n')
    .filter(each => each !== '')
    .map(each => each.split('\t')[0]!)
}

/** What the function leaves in COMPREPLY, and the options of readline it sets. */
const BASH_PROBE = String.raw`source completion.bash
probe() { _rawmount "$@"; { printf '== \n'; printf '%s\n' "${'$'}{COMPREPLY[@]}"; compopt | grep -o -e '-o [a-z]*names' -e '-o default' -e '-o nospace'; } >> out; }
complete -F probe rawmount`

const ZSH_START = `LISTMAX=9999; unsetopt autolist; autoload -U compinit; compinit -u -D; source completion.zsh`

/** What the system is told to add. */
const ZSH_PROBE = String.raw`${ZSH_START}
compadd() {
  if [[ ${'$'}{@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  print -l -- $hits >> out
  builtin compadd "$@"
}
probe() { print '== ' >> out; _rawmount "$@"; }
compdef probe rawmount`

/** Types to a shell on a terminal; ends when \`records\` were written to the file "out". */
async function type(
  work: Scratch,
  shell: 'bash' | 'zsh',
  setUp: string,
  _script: string,
  keys: string,
  records: number,
): Promise<void> {
  await writeFile(work.join('set-up'), setUp)
  await writeFile(work.join('out'), '')
  const command = shell === 'bash' ? 'bash --norc --noprofile -i' : 'zsh -f -i'
  const child = work.start(
    'script',
    '-qec',
    `cd '${work.path}'; PS1='READY%%> ' TERM=dumb exec ${command}`,
    '/dev/null',
  )
  const ended = collect(child)
  let said = ''
  child.stdout!.on('data', text => {
    said += text
  })
  // Before, the terminal would take control characters for its own.
  await until(() => said.includes('READY%'))
  child.stdin!.write(`source ./set-up; PS1='SET> '\r`)
  await until(() => said.split('SET> ').length > 2)
  child.stdin!.write(keys)
  await until(async () => (await readFile(work.join('out'), 'utf8')).split('== \n').length > records)
  child.stdin!.write('\x15exit\r')
  await ended
}
