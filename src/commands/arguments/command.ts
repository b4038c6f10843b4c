import type { Option } from './options.js'
import type { Takes } from './takes.js'

/** A command as the table describes it. `run` lives in the command's own file, loaded only when called. */
export interface Command<O extends Options = Options> {
  readonly name: string
  /** One line, in the list of commands. */
  readonly summary: string
  /** Paragraphs of --help. */
  readonly description: readonly string[]
  readonly operands: readonly Operand[]
  readonly options: O
  readonly examples: readonly Example[]
  /** Only where there is more to say than 0 and 1. */
  readonly exitCodes?: readonly (readonly [code: number, meaning: string])[]
  /** The exit code of whatever goes wrong, where 1 has a meaning of its own. */
  readonly failure?: number
}

export type Options = Readonly<Record<string, Option>>

export interface Operand {
  readonly name: string
  readonly optional?: boolean
  /** There can be several; of one operand only. */
  readonly repeated?: boolean
  /** May be a number below 0: what begins with "-" and a digit is an operand, and no option. */
  readonly signed?: boolean
  /** For completion, where its name does not tell (takes.ts). */
  readonly takes?: Takes
}

export interface Example {
  readonly line: string
  readonly what: string
}

/** What the user gave for a command: a value for every option of the table, and the operands. */
export interface Given<C extends Command> {
  readonly values: { readonly [K in keyof C['options']]: C['options'][K]['default'] }
  readonly operands: readonly string[]
}

/** Keeps the options' types; the table is written with it. */
export function command<const O extends Options>(description: Command<O>): Command<O> {
  return description
}
