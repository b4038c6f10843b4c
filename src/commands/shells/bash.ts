import { bashRuntime } from './bash-runtime.js'
import type { CommandWords, Grammar, OperandWords, OptionWords } from './grammar.js'

/** For bash 4.4 and newer, with or without the package bash-completion. */
export function bashScript({ commands, own }: Grammar): string {
  return [
    '# bash completion for rawmount; made by `rawmount completion bash` from the table of options',
    '',
    `_rawmount_commands=${array(commands.map(({ name }) => name))}`,
    `_rawmount_own=${array(own.flatMap(names))}`,
    '',
    '# The options of a command, and those of them that take a value.',
    '_rawmount_options() {',
    '  options=() valued=()',
    '  case $1 in',
    ...commands.flatMap(({ name, options }) => [
      `    ${name})`,
      `      options=${array(options.flatMap(offered))}`,
      `      valued=${array(options.filter(({ value }) => value !== null).flatMap(names))} ;;`,
    ]),
    '  esac',
    '}',
    '',
    '# What an operand, the value of an option, or the value of a key of -o may be: words, keys, paths.',
    '_rawmount_takes() {',
    '  words=() keys=() paths=',
    '  case "$1 $2" in',
    ...commands.flatMap(takes),
    '  esac',
    '}',
    '',
    bashRuntime,
  ].join('\n')
}

function names({ short, long }: OptionWords): string[] {
  return [...(short === null ? [] : [`-${short}`]), `--${long}`]
}

/** An option with a value is offered with the sign that the value follows. */
function offered({ short, long, value }: OptionWords): string[] {
  return [...(short === null ? [] : [`-${short}`]), `--${long}${value === null ? '' : '='}`]
}

function takes({ name, options, operands, rest }: CommandWords): string[] {
  const lines = operands.map((operand, at) => clause([`'${name} ${at + 1}'`], operand))
  if (rest !== null) lines.push(clause([`'${name} '[1-9]*`], rest))
  for (const option of options) {
    if (option.value === null) continue
    const patterns = names(option).map(each => `'${name} ${each}'`)
    const { keys } = option.value
    const offered = keys.map(({ key, value }) => (value === null ? key : `${key}=`))
    lines.push(clause(patterns, option.value, offered))
    for (const { key, value } of keys) {
      if (value === null) continue
      const keyed = names(option).map(each => `'${name} ${each} ${key}'`)
      lines.push(clause(keyed, value))
    }
  }
  return lines.filter(line => line !== '')
}

function clause(
  patterns: readonly string[],
  { takes: { words = [], paths } }: OperandWords,
  keys: readonly string[] = [],
): string {
  const sets = [
    ...(words.length > 0 ? [`words=${array(words)}`] : []),
    ...(keys.length > 0 ? [`keys=${array(keys)}`] : []),
    ...(paths === undefined ? [] : [`paths=${paths}`]),
  ]
  return sets.length === 0 ? '' : `    ${patterns.join(' | ')}) ${sets.join(' ')} ;;`
}

/** No word of the table has a character that means something to a shell; a test holds it so. */
function array(words: readonly string[]): string {
  return `(${words.join(' ')})`
}
