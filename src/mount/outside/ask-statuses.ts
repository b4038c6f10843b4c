import { errno } from '../../libc/errno.js'
import type { ImageFacts } from '../status/image-status.js'
import { Asker, type Reply } from './asker.js'
import { hasFolders } from './read-status.js'

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

/** Asks each of the mounts for its status, one after the other, whatever they do. */
export async function askStatuses(mountpoints: readonly string[]): Promise<StatusAnswer[]> {
  const asker = new Asker()
  const answers: StatusAnswer[] = []
  for (const mountpoint of mountpoints) answers.push(answerOf(await asker.ask(mountpoint, PATIENCE)))
  asker.close()
  return answers
}

function answerOf(reply: Reply | null): StatusAnswer {
  if (reply === null) return { state: 'silent' }
  if ('failure' in reply) {
    if (reply.failure.errno === errno.ENOTCONN) return { state: 'dead' }
    return { state: reply.failure.errno === errno.EACCES ? 'private' : 'silent' }
  }
  const { status } = reply
  const { pid, transport } = status
  const images = hasFolders(status) ? status.images : [{ ...status, folder: null }]
  return { state: 'serving', pid, transport, images: images.map(listed) }
}

function listed({ image, overlay, readOnly, folder }: ListedImage): ListedImage {
  return { image, overlay, readOnly, folder }
}
