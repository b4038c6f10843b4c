import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * What is in a file of a mount, read by another process, as a mount that hangs must not hang this one. By cat, which is there
 * in a few milliseconds. Rejects when it cannot be read, and when `signal` comes first: then the process is killed, and left
 * alone if it cannot be.
 */
export async function readElsewhere(path: string, signal: AbortSignal): Promise<string> {
  const child = spawn('cat', ['--', path], {
    // So that it does not keep the mount busy.
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore'],
    signal,
    killSignal: 'SIGKILL',
  })
  let text = ''
  // There is none where the program could not be started.
  child.stdout?.setEncoding('utf8').on('data', piece => {
    text += piece
  })
  try {
    const [code] = await once(child, 'close')
    if (code === 0) return text
  } catch (error) {
    child.stdout?.destroy()
    child.unref()
    throw error
  }
  throw new Error(`${path}: cat could not read it`)
}
