import { ImageError } from '../../errors.js'
import type { Takes } from './takes.js'

/**
 * What an option is: all that parsing, --help, manual pages and completion need to know of it. The table of
 * commands (table.ts) is made of these.
 */
export interface Option<T = unknown> {
  readonly kind: 'flag' | 'text' | 'size' | 'integer' | 'choice' | 'list'
  readonly short: string | null
  readonly long: string
  /** How the value is called in --help; null for a flag. */
  readonly valueName: string | null
  /** The values there are, when they can be listed; for completion. */
  readonly choices: readonly string[]
  readonly default: T
  readonly help: string
  /** For completion, where neither the choices nor the name of the value tell (takes.ts). */
  readonly takes?: Takes
  /** The value that `text` means. `before` is the value so far, for options that add up when repeated. */
  read(text: string, before: T): T
}

/** An option as it is written down: "-r, --read-only" is `r,read-only`, one without a short name `threads`. */
type Names = string

function named(names: Names): { short: string | null; long: string } {
  const [first = '', second] = names.split(',')
  return second === undefined ? { short: null, long: first } : { short: first, long: second }
}

export function flag(names: Names, help: string): Option<boolean> {
  return {
    ...named(names),
    kind: 'flag',
    valueName: null,
    choices: [],
    default: false,
    help,
    read: () => true,
  }
}

export function text<T extends string | null>(
  names: Names,
  valueName: string,
  defaultValue: T,
  help: string,
): Option<string | T> {
  return {
    ...named(names),
    kind: 'text',
    valueName,
    choices: [],
    default: defaultValue,
    help,
    read(value) {
      if (value === '') throw invalid('must not be empty')
      return value
    },
  }
}

export function choice<const C extends string, D extends C | null>(
  names: Names,
  valueName: string,
  choices: readonly C[],
  defaultValue: D,
  help: string,
): Option<C | D> {
  return {
    ...named(names),
    kind: 'choice',
    valueName,
    choices,
    default: defaultValue,
    help,
    read(value) {
      const found = choices.find(known => known === value)
      if (found === undefined) throw invalid(`takes ${oneOf(choices)}, not '${value}'`)
      return found
    },
  }
}

export function integer<D extends number | null>(
  names: Names,
  valueName: string,
  range: { min: number; max: number },
  defaultValue: D,
  help: string,
): Option<number | D> {
  return {
    ...named(names),
    kind: 'integer',
    valueName,
    choices: [],
    default: defaultValue,
    help: `${help}, ${range.min} to ${range.max}`,
    read(value) {
      const number = Number(value)
      if (!/^\d{1,15}$/.test(value) || number < range.min || number > range.max) {
        throw invalid(`takes a number from ${range.min} to ${range.max}, not '${value}'`)
      }
      return number
    },
  }
}

/** What an option's `read` throws; the parser puts the option's name in front. */
export function invalid(what: string): ImageError {
  return new ImageError('INVALID', what)
}

export function oneOf(words: readonly string[]): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
