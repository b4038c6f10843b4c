/**
 * Manual pages in the macros of man(7), which every formatter knows. Text that is not ours to set must not be taken
 * for a request (a line that begins with a dot or a quote) or an escape (a backslash); and what is to be copied from
 * the page must be the ASCII characters that a shell reads: groff makes typographic ones of - ' ` ^ ~.
 */

/** Escapes for characters that would be set as others, or are none of ASCII. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
  '"': '\\(dq',
}

/** Columns of the source; formatters fill lines as wide as they like, and reviewers of pages want short ones. */
const WIDTH = 78

/** Running text, as lines; what stands in backticks is set bold. */
export function text(words: string): string[] {
  const parts = words.split('`')
  // A backtick without a partner is one.
  if (parts.length % 2 === 0) parts.push(`${parts.pop()}\``)
  return wrapped(parts.map((part, at) => (at % 2 === 1 ? bold(part) : escaped(part))).join(''))
}

function wrapped(line: string): string[] {
  const lines: string[] = []
  for (const word of line.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines.map(shielded)
}

/** A line that is shown as it is. */
export function literal(line: string): string {
  return shielded(escaped(line))
}

export function bold(words: string): string {
  return `\\fB${escaped(words)}\\fR`
}

export function italic(words: string): string {
  return `\\fI${escaped(words)}\\fR`
}

/** A macro with its arguments, each of which may have blanks in it. */
export function macro(name: string, ...args: readonly string[]): string {
  return [`.${name}`, ...args.map(arg => (/^[\w.-]+$/.test(arg) ? arg : `"${escaped(arg)}"`))].join(' ')
}

function escaped(words: string): string {
  return words.replace(/[\\\-'`^~"]|[^\n -~]/gu, character => {
    const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
    return ESCAPES[character] ?? `\\[u${code}]`
  })
}

function shielded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line
}
