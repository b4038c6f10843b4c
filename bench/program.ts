import { spawn } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** The built program, for Node.js to run. */
export const RAWMOUNT = fileURLToPath(new URL('../bin/rawmount.js', import.meta.url))

/** Ctrl-C, or a signal to end: running programs are killed, everything that waits for them is thrown out. */
const interruption = new AbortController()

export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export function interrupt(): void {
  interruption.abort()
}

export interface RunOptions {
  /** False while cleaning up, which must come to its end. */
  readonly interruptible?: boolean
}

/** Runs a program to its end and returns its stdout. Throws with all that it said when it fails. */
export function run(
  command: string,
  args: readonly string[],
  { interruptible = true }: RunOptions = {},
): Promise<string> {
  if (interruptible && interruption.signal.aborted) return Promise.reject(new Interrupted())
  return new Promise((resolve, reject) => {
    // A process group of its own: Ctrl-C on the terminal is for this process, which ends the others in order.
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      ...(interruptible && { signal: interruption.signal }),
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text
    })
    // The error of the abort comes before the end of the program, and cleaning up must not begin before that.
    let error: Error | null = null
    child.on('error', cause => {
      error = cause
      if (child.pid === undefined) reject(cause)
    })
    child.on('close', (code, signal) => {
      if (interruptible && interruption.signal.aborted) reject(new Interrupted())
      else if (error !== null) reject(error)
      else if (code === 0) resolve(stdout)
      else reject(new Error(`${command} ${args.join(' ')}: ended with ${signal ?? code}\n${stdout}${stderr}`))
    })
  })
}

/**
 * Seconds that a program takes from its start to its end. An interruption waits for it: killed half way, one that
 * starts a daemon would leave it behind.
 */
export async function timed(command: string, args: readonly string[]): Promise<number> {
  const start = performance.now()
  await run(command, args, { interruptible: false })
  return (performance.now() - start) / 1000
}

/** Throws Interrupted when the run is. */
export async function sleep(milliseconds: number): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, { signal: interruption.signal })
  } catch {
    throw new Interrupted()
  }
}
