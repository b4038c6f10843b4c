import { tracer } from '../../trace.js'

const log = tracer('mount')

/**
 * SIGUSR1 asks a daemon for its status. Node.js has its own answer to that signal, a port for debuggers; so this module is
 * to be loaded first of all: a signal that comes too early is lost, and opens nothing.
 */
let answer: (() => void) | null = null

process.on('SIGUSR1', () => {
  try {
    answer?.()
  } catch (error) {
    // An image that is being closed in this moment has none any more.
    log('no status: %O', error)
  }
})

export function onStatusSignal(act: () => void): void {
  answer = act
}
