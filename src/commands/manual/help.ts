import type { Command } from '../arguments/command.js'
import type { Option } from '../arguments/options.js'
import { commandList, explanation, overviewPage, type Page, pageOf, shownValue } from './page.js'

const WIDTH = 96
/** Where the explanations of options and of commands begin. */
const COLUMN = 32
const COMMAND_COLUMN = Math.max(...commandList().map(([name]) => name.length)) + 4

/** `rawmount --help`. */
export function overview(): string {
  const { description, options, examples } = overviewPage
  return [
    ...usage(overviewPage),
    ...description.flatMap(paragraph => ['', ...wrap(paragraph)]),
    '',
    'Commands:',
    ...commandList().flatMap(([name, summary]) => entry(`  ${name}`, summary, COMMAND_COLUMN)),
    '',
    'Options:',
    ...options.flatMap(option => entry(heading(option), explanation(option), COLUMN)),
    '',
    'Examples:',
    ...examples.map(({ line }) => `  ${line}`),
    '',
    ...wrap(
      'Exit codes: 0 all is well; 1 it is not, and one line on stderr says why. `rawmount check` has more.',
    ),
    '',
  ].join('\n')
}

/** `rawmount COMMAND --help`. */
export function helpOf(command: Command): string {
  const page = pageOf(command)
  const lines = usage(page)
  for (const paragraph of page.description) lines.push('', ...wrap(paragraph))
  lines.push('', 'Options:')
  for (const option of page.options) lines.push(...entry(heading(option), explanation(option), COLUMN))
  lines.push('', 'Examples:')
  const width = Math.max(...page.examples.map(({ line }) => line.length))
  for (const { line, what } of page.examples)
    lines.push(`  ${what === '' ? line : `${line.padEnd(width)}  # ${what}`}`)
  // What all commands have is said in the overview.
  if (command.exitCodes !== undefined) {
    lines.push('', 'Exit codes:')
    for (const [code, meaning] of page.exitCodes) lines.push(...entry(`  ${code}`, meaning, 7))
  }
  return [...lines, ''].join('\n')
}

function usage({ usage }: Page): string[] {
  return usage.map((line, at) => (at === 0 ? `Usage: ${line}` : `       ${line}`))
}

function heading(option: Option): string {
  const short = option.short === null ? '    ' : `-${option.short}, `
  const value = shownValue(option)
  return `  ${short}--${option.long}${value === null ? '' : ` ${value}`}`
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
