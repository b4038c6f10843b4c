import { ImageCommit } from '../disk/commit-image.js'
import { resolveBacking } from '../disk/gate.js'
import { inspectImage } from '../disk/inspect.js'
import { dataFileOf, otherUsers } from '../disk/other-users.js'
import { ImageError } from '../errors.js'
import { isUrl } from '../storage/http/url.js'
import type { Given } from './arguments/command.js'
import { humanSize } from './display/human-size.js'
import { print } from './display/output.js'
import { oneLine } from './display/report.js'
import { namingUsers } from './file-users.js'
import { exitCodeOf } from './interruption.js'
import { doPiecework, type PieceworkEnd, paceOf } from './piecework.js'
import type { commit } from './table/commit.js'

export async function run({ values, operands }: Given<typeof commit>): Promise<number> {
  const [path = ''] = operands
  const base = namingUsers([path], () => baseOf(path, values.format))
  if (base !== null && !values.force) refuseOthers(path, base)
  const work = namingUsers([path, base ?? ''], () => ImageCommit.open(path, values))
  const facts = { image: path, base: work.basePath }
  const end = await doPiecework(work, values, (state, pace) => ({ ...facts, state, ...pace }))
  const { signal, seconds } = end
  const emptied = signal === null && !values.keep
  if (values.output === 'json') {
    const state = signal === null ? 'done' : 'stopped'
    await print(`${JSON.stringify({ ...facts, state, ...paceOf(work, seconds * 1000), emptied })}\n`)
  }
  if (signal !== null) {
    process.stderr.write(`rawmount: ${oneLine(whenStopped(path, work, end))}\n`)
    return exitCodeOf(signal)
  }
  if (values.output === 'human' && !values.quiet) {
    const rest = emptied ? `${path} is empty now` : `${path} keeps it, too`
    await print(
      `${oneLine(`${work.basePath}: has all of ${path} now (${humanSize(work.total)}); ${rest}`)}\n`,
    )
  }
  return 0
}

/** Where the base lies that the header names; null without one that could be written. */
function baseOf(path: string, format: string | null): string | null {
  const { backingName } = inspectImage(path, { format })
  const base = backingName === null ? null : resolveBacking(backingName, path)
  return base === null || isUrl(base) ? null : base
}

/** How many are named. */
const NAMED = 3

function refuseOthers(path: string, base: string): void {
  const data = dataFileOf(base)
  const users = otherUsers(path, data === null ? [base] : [base, data], { owner: base })
  const [first] = users
  if (first === undefined) return
  const { file } = first
  const others = users.filter(user => user.file === file)
  const named = others.slice(0, NAMED).map(({ image }) => image)
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : ''
  const roles = [...new Set(others.map(({ as }) => as))].sort()
  const next = roles.includes('data file')
    ? 'give them another first'
    : 'give them another base first, with "rawmount rebase"'
  throw new ImageError(
    'REFUSED',
    `${file}: is the ${roles.join(' or ')} of ${named.join(', ')}${more}, too, which would show something else then; ${next}, or say --force`,
  )
}

function whenStopped(path: string, { done, total }: ImageCommit, { signal }: PieceworkEnd): string {
  return `${path}: ended by ${signal}; ${humanSize(done)} of ${humanSize(total)} are in the base, and the image still has all; the same command goes on from there`
}
