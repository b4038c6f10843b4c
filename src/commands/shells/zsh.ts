import type { CommandWords, Grammar, KeyWords, OperandWords, OptionWords } from './grammar.js'

/** A function for the zsh completion system: zsh's own _arguments reads the options, one call for each command. */
export function zshScript({ commands, own }: Grammar): string {
  return [
    '#compdef rawmount',
    '# zsh completion for rawmount; made by `rawmount completion zsh` from the table of options',
    '',
    ...commands.flatMap(ofCommand),
    RUNTIME,
    '_rawmount() {',
    '  local -a commands',
    '  commands=(',
    ...commands.map(({ name, what }) => `    ${quote(`${name}:${what.replaceAll(':', '\\:')}`)}`),
    '  )',
    '  if (( CURRENT == 2 )); then',
    '    if [[ $words[2] == -* ]]; then',
    `      _arguments -S ${own.map(spec).join(' ')}`,
    '    else',
    '      _describe -t commands command commands',
    '      _files',
    '    fi',
    '    return',
    '  fi',
    '  local command=$words[2]',
    '  if (( $+functions[_rawmount_command_$command] )); then',
    '    shift words',
    '    (( CURRENT-- ))',
    '  else',
    '    # rawmount IMAGE MOUNTPOINT is short for rawmount mount IMAGE MOUNTPOINT.',
    '    command=mount',
    '  fi',
    '  _rawmount_command_$command',
    '}',
    '',
    'if [[ $funcstack[1] == _rawmount ]]; then _rawmount "$@"; else compdef _rawmount rawmount; fi',
    '',
  ].join('\n')
}

const RUNTIME = `_rawmount_mounts() {
  local line
  local -a fields mounts
  # A mount point is never looked at: a mount that hangs must not hang the shell.
  while IFS= read -r line; do
    fields=(${'$'}{=line})
    [[ "${'$'}{fields[7,-1]}" == *'- fuse.rawmount '* ]] && mounts+=("${'$'}{(g:o:)fields[5]}")
  done < /proc/self/mountinfo
  _wanted mounts expl 'mount point' compadd -a mounts
}

_rawmount_words_or_files() {
  _alternative "words:word:(${'$'}*)" 'files:file:_files'
}
`

function ofCommand(command: CommandWords): string[] {
  const { name, options, operands, rest } = command
  const specs = [
    ...options.map(spec),
    ...operands.map((operand, at) => quote(`${at + 1}:${operand.name}:${action(operand)}`)),
    ...(rest === null ? [] : [quote(`*:${rest.name}:${action(rest)}`)]),
  ]
  const withKeys = options.filter(({ value }) => value !== null && value.keys.length > 0)
  return [
    ...withKeys.flatMap(({ long, value }) => [
      `${keysFunction(name, long)}() {`,
      `  _values -s , ${quote(value!.name)} \\`,
      `    ${value!.keys.map(keySpec).join(' \\\n    ')}`,
      '}',
      '',
    ]),
    `_rawmount_command_${name}() {`,
    `  _arguments -s -S \\`,
    `    ${specs.map(each => each.replaceAll('@KEYS@', `_rawmount_${name}`)).join(' \\\n    ')}`,
    '}',
    '',
  ]
}

function keysFunction(command: string, long: string): string {
  return `_rawmount_${command}_${long.replaceAll('-', '_')}`
}

/** An option for _arguments: with what it excludes, its names, its help, and what its value is. */
function spec({ short, long, what, value, repeatable }: OptionWords): string {
  const both = [...(short === null ? [] : [`-${short}`]), `--${long}`]
  const excluded = repeatable ? quote('*') : both.length > 1 ? quote(`(${both.join(' ')})`) : ''
  const written = both.map(each => (value === null ? each : each.startsWith('--') ? `${each}=` : `${each}+`))
  const names = written.length > 1 ? `{${written.join(',')}}` : written[0]!
  const takes =
    value === null
      ? ''
      : `:${escaped(value.name)}:${value.keys.length > 0 ? `@KEYS@_${long.replaceAll('-', '_')}` : action(value)}`
  return `${excluded}${names}${quote(`[${escaped(what)}]${takes}`)}`
}

/** A key for _values. */
function keySpec({ key, what, value }: KeyWords): string {
  return quote(`${key}[${escaped(what)}]${value === null ? '' : `:${escaped(value.name)}:${action(value)}`}`)
}

function action({ takes: { words = [], paths } }: OperandWords): string {
  if (words.length > 0)
    return paths === undefined ? `(${words.join(' ')})` : ` _rawmount_words_or_files ${words.join(' ')}`
  if (paths === 'files') return '_files'
  if (paths === 'directories') return '_directories'
  return paths === 'mounts' ? '_rawmount_mounts' : ' '
}

/** What _arguments would take for the end of an explanation. */
function escaped(text: string): string {
  return text.replace(/[\\[\]:]/g, '\\$&')
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
