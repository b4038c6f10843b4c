import { type ListedMount, listMounts } from '../mount/outside/list-mounts.js'
import { hideCredentials } from '../storage/http/url.js'
import type { Given } from './arguments/command.js'
import { print, printJson } from './display/output.js'
import { oneLine } from './display/report.js'
import type { list } from './table/list.js'

export async function run({ values }: Given<typeof list>): Promise<number> {
  const mounts = await listMounts()
  if (values.output === 'json') await printJson(mounts.map(forPrograms))
  else if (mounts.length === 0) await print('nothing is mounted\n')
  else await print(table(mounts.map(forPeople)))
  return 0
}

function forPrograms({ mountpoint, source, readOnly, state, pid, transport, images }: ListedMount) {
  return { mountpoint, image: hideCredentials(source), readOnly, state, pid, transport, images }
}

function forPeople({ mountpoint, source, readOnly, state, pid }: ListedMount): string[] {
  const names = [mountpoint, hideCredentials(source)].map(oneLine)
  return [...names, readOnly ? 'ro' : 'rw', state, `${pid ?? '-'}`]
}

const HEADINGS = ['MOUNTPOINT', 'IMAGE', 'MODE', 'STATE', 'PID']

/** Columns as wide as they need be. */
function table(rows: readonly string[][]): string {
  const all = [HEADINGS, ...rows]
  const widths = HEADINGS.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  return all
    .map(
      row =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
