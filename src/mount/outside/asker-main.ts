import { ImageError } from '../../errors.js'
import type { Reply } from './asker.js'
import { readStatus } from './read-status.js'

/** Asks the mounts it is told, and passes on their answers. Hangs when a mount does. */
process.on('message', path => tell(ask(path as string)))
tell('ready')

function ask(path: string): Reply {
  try {
    return { status: readStatus(path) }
  } catch (error) {
    if (!(error instanceof ImageError)) throw error
    const { message, errno } = error
    return { failure: { message, errno } }
  }
}

function tell(what: Reply | 'ready'): void {
  process.send!(what)
}
