import { ImageError } from '../../errors.js'
import { errno } from '../../libc/errno.js'
import type { ListedImage, StatusAnswer } from './ask-statuses.js'
import { hasFolders, readStatus } from './read-status.js'

/** Asks the mounts it is told, in turn, and passes on each answer at once. Hangs when a mount does. */
process.once('message', async mountpoints => {
  const say = (what: StatusAnswer | 'ready') => new Promise(resolve => process.send!(what, resolve))
  await say('ready')
  for (const mountpoint of mountpoints as string[]) await say(ask(mountpoint))
  process.disconnect()
})

function ask(mountpoint: string): StatusAnswer {
  try {
    const status = readStatus(mountpoint)
    const { pid, transport } = status
    const images = hasFolders(status) ? status.images : [{ ...status, folder: null }]
    return { state: 'serving', pid, transport, images: images.map(listed) }
  } catch (error) {
    if (!(error instanceof ImageError)) throw error
    if (error.errno === errno.ENOTCONN) return { state: 'dead' }
    return { state: error.errno === errno.EACCES ? 'private' : 'silent' }
  }
}

function listed({ image, overlay, readOnly, folder }: ListedImage): ListedImage {
  return { image, overlay, readOnly, folder }
}
