import type { Command } from './arguments/command.js'
import { check } from './table/check.js'
import { commit } from './table/commit.js'
import { compare } from './table/compare.js'
import { completion } from './table/completion.js'
import { convert } from './table/convert.js'
import { create } from './table/create.js'
import { dashboard } from './table/dashboard.js'
import { info } from './table/info.js'
import { list } from './table/list.js'
import { map } from './table/map.js'
import { measure } from './table/measure.js'
import { mount } from './table/mount.js'
import { prefetch } from './table/prefetch.js'
import { rebase } from './table/rebase.js'
import { resize } from './table/resize.js'
import { status } from './table/status.js'
import { umount } from './table/umount.js'
import { update } from './table/update.js'

/**
 * Every command and option of rawmount, once: a file below table/ for each command. Parsing, --help, the -o options of
 * mount, manual pages and shell completion come from here. In the order in which they are shown.
 */
export const commands = {
  mount,
  umount,
  list,
  status,
  dashboard,
  create,
  convert,
  compare,
  measure,
  prefetch,
  commit,
  rebase,
  resize,
  update,
  info,
  check,
  map,
  completion,
} as const
export type CommandName = keyof typeof commands

export const commandNames = Object.keys(commands) as CommandName[]

export function commandNamed(name: string): Command | null {
  return Object.hasOwn(commands, name) ? commands[name as CommandName] : null
}
