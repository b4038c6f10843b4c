import { type ChildProcess, spawn } from 'node:child_process'
import type { ImageFacts } from '../status/image-status.js'

export type MountState =
  | 'serving'
  | 'dead' // the process that served it has ended
  | 'private' // it lets this user not look
  | 'silent' // no answer, or not in time

export type ListedImage = Pick<ImageFacts, 'image' | 'overlay' | 'readOnly'> & {
  /** Its name below the mount point, where each image has a folder. */
  readonly folder: string | null
}

/** What a mount answers. */
export type StatusAnswer =
  | {
      readonly state: 'serving'
      readonly pid: number
      readonly transport: 'kernel' | 'libfuse'
      readonly images: readonly ListedImage[]
    }
  | { readonly state: Exclude<MountState, 'serving'> }

/** Milliseconds that a mount has for its answer. */
const PATIENCE = 1000
/** The same, that a process has to start. */
const START = 30_000

/**
 * Asks each of the mounts for its status, one after the other, and takes silence for an answer. A process that waits for a
 * hanging mount cannot be ended, not even with SIGKILL: so another process asks, and when it hangs it is left alone and a
 * new one asks the rest.
 */
export async function askStatuses(mountpoints: readonly string[]): Promise<StatusAnswer[]> {
  const answers: StatusAnswer[] = []
  while (answers.length < mountpoints.length) {
    answers.push(...(await askUntilSilent(mountpoints.slice(answers.length))))
    if (answers.length < mountpoints.length) answers.push({ state: 'silent' })
  }
  return answers
}

/** The answers up to the first that does not come. */
function askUntilSilent(mountpoints: readonly string[]): Promise<StatusAnswer[]> {
  const program = new URL('./ask-statuses-main.js', import.meta.url).pathname
  const child = spawn(process.execPath, [program], {
    cwd: '/',
    // A Ctrl-C is for who waits, not for what hangs.
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    const answers: StatusAnswer[] = []
    const finish = (): void => {
      clearTimeout(timer)
      leave(child)
      resolve(answers)
    }
    let timer = setTimeout(finish, START)
    child.once('error', reject)
    child.once('exit', finish)
    child.on('message', answer => {
      clearTimeout(timer)
      timer = setTimeout(finish, PATIENCE)
      if (answer !== 'ready') answers.push(answer as StatusAnswer)
      if (answers.length === mountpoints.length) finish()
    })
    child.send(mountpoints)
  })
}

function leave(child: ChildProcess): void {
  child.removeAllListeners()
  child.kill('SIGKILL')
  if (child.connected) child.disconnect()
  child.unref()
}
