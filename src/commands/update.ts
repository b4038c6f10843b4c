import { type ChangedField, updatableFields, updateImage } from '../disk/update.js'
import type { HeaderField } from '../formats/format.js'
import type { Given } from './arguments/command.js'
import { usageError } from './arguments/parse.js'
import { print, printJson } from './display/output.js'
import { oneLine } from './display/report.js'
import { update } from './table/update.js'

export async function run({ values, operands }: Given<typeof update>): Promise<number> {
  const [path = '', ...assignments] = operands
  if (assignments.length === 0) {
    const fields = updatableFields(path, values)
    await (values.output === 'json'
      ? printJson(fields.map(forPrograms))
      : print(fields.map(forPeople).join('')))
    return 0
  }
  const changes = updateImage(path, readAssignments(assignments), values)
  if (values.output === 'json') await printJson(changes)
  else if (!values.quiet)
    await print(changes.map(change).join('') || `${oneLine(path)}: has these values already\n`)
  return 0
}

function readAssignments(assignments: readonly string[]): Map<string, string> {
  const changes = new Map<string, string>()
  for (const assignment of assignments) {
    const equals = assignment.indexOf('=')
    if (equals < 1) throw usageError(update, `takes FIELD=VALUE, not '${assignment}'`)
    const name = assignment.slice(0, equals)
    if (changes.has(name)) throw usageError(update, `${name} is given twice`)
    changes.set(name, assignment.slice(equals + 1))
  }
  return changes
}

function forPrograms({ name, value, meaning }: HeaderField): Record<string, unknown> {
  return { name, value, meaning }
}

function forPeople({ name, value, meaning }: HeaderField): string {
  return `${oneLine(`${name}=${value}`).padEnd(COLUMN)}  ${meaning}\n`
}

/** Where the meanings begin: behind the longest name and a small number. */
const COLUMN = 44

function change({ name, before, after }: ChangedField): string {
  return `${oneLine(`${name}: ${shown(before)} -> ${shown(after)}`)}\n`
}

function shown(value: number | string): string {
  return value === '' ? '(empty)' : `${value}`
}
