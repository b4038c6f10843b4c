import { renameBase } from '../disk/backing-name.js'
import { ImageRebase } from '../disk/rebase-image.js'
import type { BackingReference } from '../formats/format.js'
import { formatByName } from '../formats/registry.js'
import { hideCredentials } from '../storage/http/url.js'
import { backingPath } from './arguments/backing-path.js'
import type { Given } from './arguments/command.js'
import { usageError } from './arguments/parse.js'
import { humanSize } from './display/human-size.js'
import { print } from './display/output.js'
import { oneLine } from './display/report.js'
import { namingUsers } from './file-users.js'
import { exitCodeOf } from './interruption.js'
import { doPiecework, paceOf } from './piecework.js'
import { rebase } from './table/rebase.js'

type Values = Given<typeof rebase>['values']

export async function run({ values, operands }: Given<typeof rebase>): Promise<number> {
  const [path = ''] = operands
  const backing = backingOf(values)
  const paths = backing === null ? [path] : [path, backingPath(path, backing.name)]
  const { output, quiet } = values
  const facts = { image: path, base: backing && hideCredentials(backing.name) }
  if (values.unsafe) {
    namingUsers(paths, () => renameBase(path, backing, values))
    if (output === 'json') await print(`${JSON.stringify({ ...facts, state: 'done' })}\n`)
    else if (!quiet)
      await print(`${oneLine(`${path}: ${standing(facts.base)}; nothing was copied or compared`)}\n`)
    return 0
  }
  const work = namingUsers(paths, () => ImageRebase.open(path, backing, values))
  const { signal, seconds } = await doPiecework(work, values, (state, pace) => ({ ...facts, state, ...pace }))
  const { copied } = work
  if (output === 'json') {
    const state = signal === null ? 'done' : 'stopped'
    await print(`${JSON.stringify({ ...facts, state, ...paceOf(work, seconds * 1000), copied })}\n`)
  }
  if (signal !== null) {
    const text = `${path}: ended by ${signal}; it is on its old base, and shows the same; ${humanSize(copied)} were copied into it, and the same command goes on from there`
    process.stderr.write(`rawmount: ${oneLine(text)}\n`)
    return exitCodeOf(signal)
  }
  if (output === 'human' && !quiet) {
    const rest = copied === 0 ? 'nothing had to be copied' : `${humanSize(copied)} were copied into it`
    await print(`${oneLine(`${path}: ${standing(facts.base)}, with the same contents; ${rest}`)}\n`)
  }
  return 0
}

function backingOf({ base, baseFormat }: Values): BackingReference | null {
  if (base === null) throw usageError(rebase, "the new backing file is missing: -b BASE, or -b '' for none")
  if (base !== '') return { name: base, format: baseFormat === null ? null : formatByName(baseFormat).name }
  if (baseFormat !== null) throw usageError(rebase, 'option -F describes a backing file: name it with -b')
  return null
}

function standing(base: string | null): string {
  return base === null ? 'needs no backing file any more' : `stands on ${base} now`
}
