import type { Command, Example, Operand } from '../arguments/command.js'
import { flag, type Option } from '../arguments/options.js'
import { commands } from '../table.js'

/**
 * What is to be said of a command, in order and in words, but in no form yet: --help prints it (help.ts), the manual
 * sets it (manual/), and the shells complete by it (shells/). All three walk over this one thing, so none can know an
 * option that another does not.
 */
export interface Page {
  /** As it is typed: "rawmount mount". */
  readonly title: string
  readonly summary: string
  /** Ways to call it, a line each. */
  readonly usage: readonly string[]
  /** Paragraphs. `Words in backticks` are to be typed. */
  readonly description: readonly string[]
  readonly options: readonly Option[]
  readonly examples: readonly Example[]
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[]
}

/** The option that the parser takes for every command. */
const HELP = flag('h,help', 'show this')

/** Of the program itself. */
export const OWN_OPTIONS = [
  flag('h,help', 'show this, or after a command the help of the command'),
  flag('V,version', 'show the version'),
]

const EXIT_CODES: Page['exitCodes'] = [
  [0, 'all is well'],
  [1, 'it is not, and one line on stderr says why'],
]

export const overviewPage: Page = {
  title: 'rawmount',
  summary: 'mount the image of a virtual disk as one raw file',
  usage: ['rawmount COMMAND [OPTION]... [ARGUMENT]...', 'rawmount IMAGE MOUNTPOINT [-o OPTIONS]'],
  description: ['Mounts the image of a virtual disk, and shows it as one raw file, disk.raw.'],
  options: OWN_OPTIONS,
  examples: Object.values(commands).map(({ examples }) => ({ line: examples[0]!.line, what: '' })),
  exitCodes: EXIT_CODES,
}

/** Every command with its summary, and what is called like one. */
export function commandList(): [name: string, summary: string][] {
  return [
    ...Object.values(commands).map(({ name, summary }): [string, string] => [name, summary]),
    ['help', 'show this, or the help of a command: rawmount help mount'],
  ]
}

export function pageOf(command: Command): Page {
  const { name, summary, description, operands, options, examples } = command
  const some = Object.keys(options).length > 0 ? ['[OPTION]...'] : []
  return {
    title: `rawmount ${name}`,
    summary,
    usage: [['rawmount', name, ...some, ...operands.map(shownOperand)].join(' ')],
    description,
    options: [...Object.values(options), HELP],
    examples,
    exitCodes: command.exitCodes ?? EXIT_CODES,
  }
}

function shownOperand({ name, optional, repeated }: Operand): string {
  const shown = optional ? `[${name}]` : name
  return repeated ? `${shown}...` : shown
}

/** What stands for the value of an option; null for a flag. */
export function shownValue(option: Option): string | null {
  return option.choices.length > 0 ? option.choices.join('|') : option.valueName
}

/** What an option does, and what holds when it is left out. */
export function explanation(option: Option): string {
  if (option.default === null || option.kind === 'flag' || option.kind === 'list') return option.help
  const value = option.kind === 'size' ? shortSize(option.default as number) : option.default
  return `${option.help} (default ${value})`
}

/** A size as it would be typed: 32M. */
function shortSize(bytes: number): string {
  const mebi = 1024 * 1024
  return bytes % mebi === 0 ? `${bytes / mebi}M` : `${bytes}`
}
