import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import koffi from 'koffi'

/** What a program left behind when it ended. */
export interface Outcome {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly input?: string
  /** Milliseconds after which it is killed: a hang must not become the hang of all tests. */
  readonly limit?: number
}

const SEARCH = `${process.env.PATH}:/usr/sbin:/sbin`

/** Environment of all that tests start: tools speak English, and lie where root finds them. */
export function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: SEARCH, LC_ALL: 'C', ...more }
}

/** Runs a program to its end, and until nobody holds its output open: a daemon must not. Never rejects by its code. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { limit = 120_000, input } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: environment(options.env),
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      timeout: limit,
      killSignal: 'SIGKILL',
    })
    const outcome = collect(child)
    const late = setTimeout(() => {
      child.stdout?.destroy()
      child.stderr?.destroy()
      reject(new Error(`${command} ${args.join(' ')}: ended, but something keeps its output open`))
    }, limit + 1000)
    child.on('error', reject)
    outcome.then(result => {
      clearTimeout(late)
      resolve(result)
    })
    child.stdin?.end(input)
  })
}

/** The output of a program that must succeed. */
export async function succeed(command: string, ...args: string[]): Promise<string> {
  return told(command, args, await run(command, args))
}

/** stdout of a success; throws with all that was said otherwise. */
export function told(
  command: string,
  args: readonly string[],
  { code, signal, stdout, stderr }: Outcome,
): string {
  if (code === 0) return stdout
  throw new Error(`${command} ${args.join(' ')}: ended with ${signal ?? code}\n${stdout}${stderr}`)
}

/** What a started program says until it ends. */
export function collect(child: ChildProcess): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  return new Promise(resolve => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

/** Waits until `what` holds. Throws after a minute, which only a hang takes. */
export async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await what()); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
  }
}

/**
 * True when the machine lacks something of `needs`: 'root', a library ('libfuse.so.2'), a file by its path, or a program.
 * The test says so and ends. A missing tool fails where CI is set, as there everything was to be installed; root cannot be.
 */
export function lacks(t: ExecutionContext, ...needs: string[]): boolean {
  const missing = needs.filter(need => !has(need))
  if (missing.length === 0) return false
  t.log(`SKIPPED: needs ${missing.join(', ')}; "sudo npm test" installs what is missing and runs everything`)
  if (process.env.CI !== undefined && missing.some(need => need !== 'root'))
    t.fail(`missing: ${missing.join(', ')}`)
  else t.pass()
  return true
}

function has(need: string): boolean {
  if (need === 'root') return process.getuid!() === 0
  if (need.startsWith('/')) return existsSync(need)
  return need.includes('.so.') ? hasLibrary(need) : hasProgram(need)
}

function hasLibrary(soname: string): boolean {
  try {
    koffi.load(soname).unload()
    return true
  } catch {
    return false
  }
}

function hasProgram(name: string): boolean {
  return SEARCH.split(delimiter).some(directory => {
    try {
      accessSync(join(directory, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
