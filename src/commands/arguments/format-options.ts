import type { Format } from '../../formats/format.js'
import type { Command } from './command.js'
import type { KeyValues } from './key-values.js'
import { usageError } from './parse.js'

/** The -o options of a format, each of which has a value. Throws ImageError INVALID. */
export function formatOptions(command: Command, options: KeyValues): Map<string, string> {
  const given = new Map<string, string>()
  for (const [key, value] of options) {
    if (value === null || value === '')
      throw usageError(command, `option '-o ${key}' needs a value: ${key}=VALUE`)
    given.set(key, value)
  }
  return given
}

/** What "-o help" shows. */
export function optionsOf({ name, createOptions }: Format): string {
  const options = Object.entries(createOptions)
  if (options.length === 0) return `The format ${name} has no options.\n`
  const width = Math.max(...options.map(([key]) => key.length))
  return [
    `Options of the format ${name}:`,
    ...options.map(([key, what]) => `  ${key.padEnd(width)}  ${what}`),
    '',
  ].join('\n')
}
