import type { Option } from '../arguments/options.js'
import { explanation, type Page, shownValue } from './page.js'
import { bold, italic, literal, macro, text } from './roff.js'

/** The parts of a manual page, each as lines of roff. */

export interface Edition {
  readonly version: string
  /** YYYY-MM-DD */
  readonly date: string
}

export function heading(name: string, section: number, { version, date }: Edition): string[] {
  const volume = section === 8 ? 'System Administration' : 'User Commands'
  return [
    macro('TH', name.toUpperCase(), `${section}`, date, `rawmount ${version}`, volume),
    // Left-aligned, and no word cut: options and paths are to be found and copied.
    '.ad l',
    '.nh',
  ]
}

export function name(title: string, summary: string): string[] {
  return [macro('SH', 'NAME'), `${literal(title)} \\- ${text(summary).join(' ')}`]
}

export function synopsis(lines: readonly string[]): string[] {
  return [macro('SH', 'SYNOPSIS'), ...lines.flatMap((line, at) => [...(at > 0 ? ['.br'] : []), usage(line)])]
}

/** What is to be typed is bold, what is to be replaced, in capitals, is italic. */
function usage(line: string): string {
  return line.replace(/[\w.-]+|[^\w.-]+/g, word => {
    if (/^(\.\.\.|[^\w.-]+)$/.test(word)) return word
    return /^[A-Z]/.test(word) ? italic(word) : bold(word)
  })
}

export function paragraphs(title: string, texts: readonly string[]): string[] {
  return [macro('SH', title), ...texts.flatMap((words, at) => [...(at > 0 ? ['.PP'] : []), ...text(words)])]
}

/** Names with what they mean. */
export function list(title: string, items: readonly (readonly [name: string, what: string])[]): string[] {
  return [macro('SH', title), ...items.flatMap(([name, what]) => ['.TP', bold(name), ...text(what)])]
}

export function options(title: string, all: readonly Option[]): string[] {
  return [macro('SH', title), ...all.flatMap(option => ['.TP', names(option), ...text(explanation(option))])]
}

function names(option: Option): string {
  const { short, long } = option
  const value = shownValue(option)
  const written = [...(short === null ? [] : [bold(`-${short}`)]), bold(`--${long}`)].join(', ')
  if (value === null) return written
  return `${written} ${option.choices.length > 0 ? option.choices.map(bold).join('|') : italic(value)}`
}

export function examples(all: Page['examples']): string[] {
  const lines = all.flatMap(({ line, what }) => [
    ...(what === '' ? [] : [literal(`# ${what}`)]),
    literal(line),
  ])
  return [macro('SH', 'EXAMPLES'), '.nf', ...lines, '.fi']
}

export function exitStatus(codes: Page['exitCodes']): string[] {
  return list(
    'EXIT STATUS',
    codes.map(([code, meaning]) => [`${code}`, meaning]),
  )
}

/** `pages`: names with their sections, "rawmount(1)". */
export function seeAlso(pages: readonly string[]): string[] {
  const references = pages.map((page, at) => {
    const [, name = '', section = ''] = /^(.+)\((\d)\)$/.exec(page)!
    return `.BR ${literal(name)} (${section})${at < pages.length - 1 ? ' ,' : ''}`.replace(/\) ,$/, '),')
  })
  return [macro('SH', 'SEE ALSO'), ...references]
}
