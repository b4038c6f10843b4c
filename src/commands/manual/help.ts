import type { Command } from '../arguments/command.js'
import type { Option } from '../arguments/options.js'
import { commands } from '../table.js'

const WIDTH = 96
/** Where the explanations of options and commands begin. */
const COLUMN = 32

/** `rawmount --help`. */
export function overview(): string {
  return [
    'Usage: rawmount COMMAND [OPTION]... [ARGUMENT]...',
    '       rawmount IMAGE MOUNTPOINT [-o OPTIONS]',
    '',
    ...wrap('Mounts the image of a virtual disk, and shows it as one raw file, disk.raw.'),
    '',
    'Commands:',
    ...Object.values(commands).flatMap(command => entry(`  ${command.name}`, command.summary, 12)),
    ...entry('  help', 'show this, or the help of a command: rawmount help mount', 12),
    '',
    'Options:',
    ...entry('  -h, --help', 'show this, or after a command the help of the command', COLUMN),
    ...entry('  -V, --version', 'show the version', COLUMN),
    '',
    'Examples:',
    ...Object.values(commands).flatMap(command => `  ${command.examples[0]!.line}`),
    '',
    ...wrap(
      'Exit codes: 0 all is well; 1 it is not, and one line on stderr says why. `rawmount check` has more.',
    ),
    '',
  ].join('\n')
}

/** `rawmount COMMAND --help`. */
export function helpOf(command: Command): string {
  const operands = command.operands.map(({ name, optional, repeated }) => {
    const shown = optional ? `[${name}]` : name
    return repeated ? `${shown}...` : shown
  })
  const options = Object.keys(command.options).length > 0 ? ['[OPTION]...'] : []
  const lines = [`Usage: rawmount ${[command.name, ...options, ...operands].join(' ')}`]
  for (const paragraph of command.description) lines.push('', ...wrap(paragraph))
  lines.push('', 'Options:')
  for (const option of Object.values(command.options))
    lines.push(...entry(heading(option), explanation(option), COLUMN))
  lines.push(...entry('  -h, --help', 'show this', COLUMN), '', 'Examples:')
  const width = Math.max(...command.examples.map(({ line }) => line.length))
  for (const { line, what } of command.examples)
    lines.push(`  ${what === '' ? line : `${line.padEnd(width)}  # ${what}`}`)
  if (command.exitCodes !== undefined) {
    lines.push('', 'Exit codes:')
    for (const [code, meaning] of command.exitCodes) lines.push(...entry(`  ${code}`, meaning, 7))
  }
  return [...lines, ''].join('\n')
}

function heading(option: Option): string {
  const short = option.short === null ? '    ' : `-${option.short}, `
  const value = option.choices.length > 0 ? option.choices.join('|') : option.valueName
  return `  ${short}--${option.long}${value === null ? '' : ` ${value}`}`
}

function explanation(option: Option): string {
  if (option.default === null || option.kind === 'flag' || option.kind === 'list') return option.help
  const value = option.kind === 'size' ? shortSize(option.default as number) : option.default
  return `${option.help} (default ${value})`
}

/** A size as it would be typed: 32M. */
function shortSize(bytes: number): string {
  const mebi = 1024 * 1024
  return bytes % mebi === 0 ? `${bytes / mebi}M` : `${bytes}`
}

/** A name and its explanation, which starts on a line of its own when the name is too long. */
function entry(name: string, what: string, column: number): string[] {
  const [first = '', ...rest] = wrap(what, WIDTH - column).map(line => ' '.repeat(column) + line)
  if (name.length + 2 > column) return [name, first, ...rest]
  return [name.padEnd(column) + first.slice(column), ...rest]
}

function wrap(text: string, width = WIDTH): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
