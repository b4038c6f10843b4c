import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { ImageError } from '../errors.js'
import { version } from '../version.js'
import type { Command, Given } from './arguments/command.js'
import { parse } from './arguments/parse.js'
import { suggest } from './arguments/suggest.js'
import { print } from './display/output.js'
import { reportError } from './display/report.js'
import { helpOf, overview } from './manual/help.js'
import { type CommandName, commandNamed, commandNames } from './table.js'

/** Each command is loaded when it is called, so that none pays for the others' modules at start-up. */
const ROOMS = {
  mount: () => import('./mount.js'),
  umount: () => import('./umount.js'),
  status: () => import('./status.js'),
  list: () => import('./list.js'),
  dashboard: () => import('./dashboard.js'),
  create: () => import('./create.js'),
  prefetch: () => import('./prefetch.js'),
  commit: () => import('./commit.js'),
  rebase: () => import('./rebase.js'),
  update: () => import('./update.js'),
  resize: () => import('./resize.js'),
  info: () => import('./info.js'),
  check: () => import('./check.js'),
  map: () => import('./map.js'),
  convert: () => import('./convert.js'),
  compare: () => import('./compare.js'),
  measure: () => import('./measure.js'),
  completion: () => import('./completion.js'),
} as const satisfies Record<CommandName, () => Promise<unknown>>

/** Runs `rawmount ARGS…` and returns its exit code. `calledAs` is the path of the program as it was called. */
export async function runProgram(args: readonly string[], calledAs: string): Promise<number> {
  const [first, ...rest] = args
  // As mount(8) and umount(8) call their helpers, by links in /sbin.
  if (basename(calledAs).startsWith('mount.')) return runHelper(args, true)
  if (basename(calledAs).startsWith('umount.'))
    return (await import('./mount-helpers/umount-helper.js')).run(args)
  if (first === undefined) throw new ImageError('INVALID', "a command is missing: see 'rawmount --help'")
  if (first === '--help' || first === '-h') return show(overview())
  if (first === '--version' || first === '-V') return show(`rawmount ${version()}\n`)
  if (first === 'help') return help(rest)
  const command = commandNamed(first)
  if (command !== null) return run(command, rest)
  if (looksLikeCommand(first)) throw unknownCommand(first)
  return runHelper(args, false)
}

async function run(command: Command, args: readonly string[]): Promise<number> {
  try {
    return await call(command, args)
  } catch (error) {
    if (command.failure === undefined) throw error
    reportError(error)
    return command.failure
  }
}

/** The exit code of a command that could not do all it should. */
export function failureOf([name = '']: readonly string[]): number {
  return commandNamed(name)?.failure ?? 1
}

async function call(command: Command, args: readonly string[]): Promise<number> {
  const given = parse(command, args)
  if (given === null) return show(helpOf(command))
  const room = await ROOMS[command.name as CommandName]()
  return (room.run as (given: Given<Command>) => Promise<number>)(given)
}

async function runHelper(args: readonly string[], byMount: boolean): Promise<number> {
  const helper = await import('./mount-helpers/mount-helper.js')
  return helper.run(args, byMount)
}

async function help([name]: readonly string[]): Promise<number> {
  if (name === undefined || name === 'help') return show(overview())
  const command = commandNamed(name)
  if (command === null) throw unknownCommand(name)
  return show(helpOf(command))
}

/** `rawmount IMAGE MOUNTPOINT` has an image in first place: a file, or at least a path. */
function looksLikeCommand(word: string): boolean {
  if (word.startsWith('-') || word.includes('/') || existsSync(word)) return false
  return !word.includes('.') || suggest(word, commandNames) !== null
}

function unknownCommand(name: string): ImageError {
  const near = suggest(name, [...commandNames, 'help'])
  const next = near === null ? "see 'rawmount --help'" : `did you mean '${near}'?`
  return new ImageError('INVALID', `unknown command '${name}': ${next}`)
}

async function show(text: string): Promise<number> {
  await print(text)
  return 0
}
