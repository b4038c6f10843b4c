import { formatByName, formatNames } from '../../formats/registry.js'
import type { Command, Operand } from '../arguments/command.js'
import { listedOptions } from '../arguments/listed-options.js'
import type { Option } from '../arguments/options.js'
import { type Takes, takesByName } from '../arguments/takes.js'
import { commandList, OWN_OPTIONS, pageOf } from '../manual/page.js'
import { commandNamed } from '../table.js'

/** What the shells complete, in the order in which they offer it; the same for all of them. */
export interface Grammar {
  readonly commands: readonly CommandWords[]
  /** Of the program itself, without a command. */
  readonly own: readonly OptionWords[]
}

export interface CommandWords {
  readonly name: string
  readonly what: string
  readonly options: readonly OptionWords[]
  /** One by one; `rest` for all that follow, null when there must be none. */
  readonly operands: readonly OperandWords[]
  readonly rest: OperandWords | null
}

export interface OptionWords {
  readonly short: string | null
  readonly long: string
  readonly what: string
  /** Null for a flag. */
  readonly value: Value | null
  /** May be given again, and adds up. */
  readonly repeatable: boolean
}

export interface OperandWords {
  readonly name: string
  readonly takes: Takes
}

export interface Value extends OperandWords {
  /** Of a list KEY=VALUE,...: the keys. */
  readonly keys: readonly KeyWords[]
}

export interface KeyWords {
  readonly key: string
  readonly what: string
  /** Null for a key that stands alone. */
  readonly value: OperandWords | null
}

export function grammar(): Grammar {
  return {
    commands: commandList().map(([name, summary]) => {
      const command = commandNamed(name)
      return command === null ? help(name, summary) : ofCommand(command)
    }),
    own: OWN_OPTIONS.map(option => ofOption('', option)),
  }
}

/** It is no command of the table. */
function help(name: string, what: string): CommandWords {
  const words = commandList().map(([known]) => known)
  return { name, what, options: [], operands: [{ name: 'COMMAND', takes: { words } }], rest: null }
}

function ofCommand(command: Command): CommandWords {
  const { name, summary, operands } = command
  const repeated = operands.findIndex(operand => operand.repeated)
  const single = repeated < 0 ? operands : operands.slice(0, repeated)
  return {
    name,
    what: summary,
    options: pageOf(command).options.map(option => ofOption(name, option)),
    operands: single.map(ofOperand),
    rest: repeated < 0 ? null : together(operands.slice(repeated)),
  }
}

function ofOperand({ name, takes }: Operand): OperandWords {
  return { name, takes: takes ?? takesByName(name) }
}

/** Behind a repeated operand nobody knows which one is being typed. */
function together(operands: readonly Operand[]): OperandWords {
  const all = operands.map(ofOperand)
  const paths = all.map(({ takes }) => takes.paths).find(found => found !== undefined)
  const words = all.flatMap(({ takes }) => takes.words ?? [])
  return { name: all[0]!.name, takes: { words, ...(paths === undefined ? {} : { paths }) } }
}

function ofOption(command: string, option: Option): OptionWords {
  const { short, long, help, kind } = option
  const keys = kind === 'list' ? keysOf(command) : []
  const value = option.valueName === null ? null : { ...valueWords(option), keys }
  return { short, long, what: brief(help), value, repeatable: kind === 'list' }
}

function valueWords({ choices, takes, valueName }: Option): OperandWords {
  const name = valueName!
  return { name, takes: takes ?? (choices.length > 0 ? { words: choices } : takesByName(name)) }
}

/** The keys of the -o of a command. */
function keysOf(command: string): KeyWords[] {
  if (command === 'mount') {
    return [
      { key: 'ro', what: 'change nothing in the image', value: null },
      { key: 'rw', what: 'the image may be written', value: null },
      ...listedOptions().map(({ key, option }) => ({
        key,
        what: brief(option.help),
        value: option.valueName === null ? null : valueWords(option),
      })),
    ]
  }
  // Images are made with them; which ones a format has is not looked at before TAB.
  const keys = new Map(formatNames().flatMap(name => Object.entries(formatByName(name).createOptions)))
  return [...keys].map(([key, what]) => ({ key, what: brief(what), value: { name: 'VALUE', takes: {} } }))
}

/** A list of candidates has room for the beginning. */
function brief(help: string): string {
  return help.split(/[;:] | \(| such as /)[0]!.replace(/[\s,]+$/, '')
}
