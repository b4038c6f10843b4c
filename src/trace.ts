import { writeSync } from 'node:fs'
import { formatWithOptions } from 'node:util'
import { getEnvironmentData, setEnvironmentData, threadId } from 'node:worker_threads'
import createDebug from 'debug'
import { oneLine } from './one-line.js'

/**
 * What a process says beside its results: the log of a mount (--log-file), and traces of its rooms (DEBUG=rawmount:*).
 * Every line is written by the thread that has to say it, at once, so that what was said before a crash is there; and
 * to a file that is open for appending, so that lines of different threads do not mix.
 *
 *   2026-01-31T12:00:00.000Z rawmount: mounted /vm/a.qed on /mnt/a, process 4711
 *   2026-01-31T12:00:01.250Z rawmount:fuse t2 #1842 READ of inode 2, 4096 bytes at 65536 -> 4096 bytes
 *
 * t2 is the thread (t0: the main one), and #1842 the request that it was serving: the number that the kernel gave it.
 *
 * Only traces go to stderr where there is no log. May be used in all rooms.
 */
const LOG = 'rawmount:log'

/** Threads inherit it from the one that starts them. Null: there is no log. */
let log = (getEnvironmentData(LOG) as number | undefined) ?? null

/** What could not be written, to a full disk say: a log must not hinder what it tells of. */
let lost = 0

const tracers: createDebug.Debugger[] = []

/** The request that this thread serves; 0 between requests, and while nothing is traced. */
let request = 0

/** A room's own trace; `enabled` is to be asked before anything is computed for it. */
export function tracer(room: string): createDebug.Debugger {
  const trace = createDebug(`rawmount:${room}`)
  // Colors would be escape sequences in a log, and the prefix is our own.
  Object.assign(trace, { useColors: false })
  trace.log = (...args) => write(log ?? 2, `${trace.namespace}${where()}`, unprefixed(trace, args))
  tracers.push(trace)
  return trace
}

/** Whether any room is traced; asked once, by what serves requests. */
export function isTracing(): boolean {
  return tracers.some(({ enabled }) => enabled)
}

export function traceEverything(): void {
  // Puts it into the environment, too, where threads find it.
  createDebug.enable('rawmount:*')
}

/** The lines that follow from this thread belong to this request; 0: to none. */
export function serving(unique: number): void {
  request = unique
}

/** From now on what is told goes to this descriptor; threads that are there already do not know. */
export function logTo(fd: number): void {
  log = fd
  setEnvironmentData(LOG, fd)
}

export function hasLog(): boolean {
  return log !== null
}

/** One line of the log; nothing without one. */
export function tell(text: string): void {
  if (log !== null) write(log, 'rawmount:', oneLine(text))
}

function where(): string {
  return request === 0 ? ` t${threadId}` : ` t${threadId} #${request}`
}

/** The package puts a date and the name of the room in front. */
function unprefixed({ namespace }: createDebug.Debugger, [first, ...rest]: unknown[]): string {
  const text = String(first)
  return formatWithOptions({ depth: 4 }, text.slice(text.indexOf(namespace) + namespace.length + 1), ...rest)
}

function write(fd: number, from: string, text: string): void {
  const lines = lost === 0 ? '' : `${new Date().toISOString()} rawmount: ${lost} lines could not be written\n`
  const buffer = Buffer.from(`${lines}${new Date().toISOString()} ${from} ${text}\n`)
  let done = 0
  for (let tries = 0; done < buffer.length; tries++) {
    try {
      done += writeSync(fd, buffer, done)
    } catch (error) {
      // stderr may be a pipe that does not block; its reader gets a moment.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN' && tries < PATIENCE) continue
      lost++
      return
    }
  }
  lost = 0
}

/** Tries to write to a full pipe. */
const PATIENCE = 1000
