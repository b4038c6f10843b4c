import { once } from 'node:events'
import { getSystemErrorMap } from 'node:util'

let isUnfinished = false

/** For work that prints how it goes: a broken stdout then ends more than the output. */
export function setUnfinished(now: boolean): void {
  isUnfinished = now
}

/** What a stdout that takes no more means for the user. */
export function describeBreak({ errno = 0, message }: NodeJS.ErrnoException): string {
  const [name, description] = getSystemErrorMap().get(errno) ?? []
  const what = name === undefined ? message : `${description} (${name})`
  const left = isUnfinished
    ? 'the work was not finished; the same command goes on from there'
    : 'the output is not complete; all else was done'
  return `${what}: ${left}`
}

/**
 * What goes to stdout. Each call ends when the text has been taken, so that a long listing costs no memory, and
 * a reader that has seen enough (`rawmount map … | head`) or a full disk ends the command.
 */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

export async function printJson(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value, null, 4)}\n`)
}
