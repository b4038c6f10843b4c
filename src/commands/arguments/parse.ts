import { ImageError } from '../../errors.js'
import type { Command, Given, Options } from './command.js'
import type { Option } from './options.js'
import { suggest } from './suggest.js'

/**
 * Reads a command's arguments as GNU getopt_long does: options and operands in any order, "-rf" for "-r -f",
 * "-fqed", "--format=qed", and "--" before operands that begin with a dash. null when the user asked for --help.
 * Throws an ImageError INVALID that names the argument and what would be right.
 */
export function parse<C extends Command>(command: C, args: readonly string[]): Given<C> | null {
  const given = new Parsed(command)
  const rest = [...args]
  const signed = command.operands.some(operand => operand.signed)
  while (rest.length > 0) {
    const arg = rest.shift()!
    if (arg === '--') {
      given.operands.push(...rest.splice(0))
    } else if (arg.startsWith('--')) {
      if (arg === '--help') return null
      readLong(given, arg, rest)
    } else if (arg.startsWith('-') && arg !== '-' && !(signed && /^-\d/.test(arg))) {
      if (readShort(given, arg, rest) === 'help') return null
    } else {
      given.operands.push(arg)
    }
  }
  checkOperands(command, given.operands)
  return given as unknown as Given<C>
}

class Parsed {
  readonly operands: string[] = []
  readonly values: Record<string, unknown> = {}

  constructor(readonly command: Command) {
    for (const [key, option] of Object.entries(command.options)) this.values[key] = option.default
  }

  set(key: string, option: Option, shown: string, text: string): void {
    try {
      this.values[key] = option.read(text, this.values[key])
    } catch (error) {
      throw usageError(this.command, `option '${shown}' ${(error as Error).message}`)
    }
  }
}

function readLong(given: Parsed, arg: string, rest: string[]): void {
  const equals = arg.indexOf('=')
  const name = equals === -1 ? arg.slice(2) : arg.slice(2, equals)
  const [key, option] =
    find(given.command.options, known => known.long === name) ?? unknown(given.command, `--${name}`)
  if (option.valueName === null) {
    if (equals !== -1) throw usageError(given.command, `option '--${name}' takes no value`)
    given.set(key, option, `--${name}`, '')
  } else {
    const value = equals === -1 ? rest.shift() : arg.slice(equals + 1)
    if (value === undefined) throw missingValue(given.command, option, `--${name}`)
    given.set(key, option, `--${name}`, value)
  }
}

function readShort(given: Parsed, arg: string, rest: string[]): 'help' | 'read' {
  for (let at = 1; at < arg.length; at++) {
    const letter = arg[at]!
    if (letter === 'h') return 'help'
    const [key, option] =
      find(given.command.options, known => known.short === letter) ?? unknown(given.command, `-${letter}`)
    if (option.valueName === null) {
      given.set(key, option, `-${letter}`, '')
      continue
    }
    const value = at + 1 < arg.length ? arg.slice(at + 1) : rest.shift()
    if (value === undefined) throw missingValue(given.command, option, `-${letter}`)
    given.set(key, option, `-${letter}`, value)
    break
  }
  return 'read'
}

function find(options: Options, wanted: (option: Option) => boolean): [string, Option] | undefined {
  return Object.entries(options).find(([, option]) => wanted(option))
}

function unknown(command: Command, name: string): never {
  const known = ['help', ...Object.values(command.options).map(option => option.long)]
  const near = name.startsWith('--') ? suggest(name.slice(2), known) : null
  const next = near === null ? seeHelp(command) : `did you mean '--${near}'?`
  throw usageError(command, `unknown option '${name}': ${next}`)
}

function missingValue(command: Command, option: Option, shown: string): ImageError {
  return usageError(
    command,
    `option '${shown}' needs a value: ${shown}${shown.startsWith('--') ? '=' : ' '}${option.valueName}`,
  )
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const expected = command.operands
  const repeated = expected.findIndex(operand => operand.repeated)
  const extra = repeated === -1 ? operands[expected.length] : undefined
  if (extra !== undefined) throw usageError(command, `unexpected argument '${extra}': ${seeHelp(command)}`)
  const missing = expected.find((operand, at) => !operand.optional && operands[at] === undefined)
  if (missing !== undefined) throw usageError(command, `${missing.name} is missing: ${seeHelp(command)}`)
  const empty = operands.indexOf('')
  if (empty === -1) return
  const more =
    repeated === -1 ? 0 : Math.max(0, Math.min(empty - repeated, operands.length - expected.length))
  throw usageError(command, `${expected[empty - more]!.name} must not be empty: ${seeHelp(command)}`)
}

export function usageError(command: Command, what: string): ImageError {
  return new ImageError('INVALID', `${command.name}: ${what}`)
}

function seeHelp(command: Command): string {
  return `see 'rawmount ${command.name} --help'`
}
