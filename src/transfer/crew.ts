import { availableParallelism } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { ImageError } from '../errors.js'
import { SystemError } from '../libc/errno.js'
import { tracer } from '../trace.js'
import { Course } from './course.js'
import { type Errand, runnerOf, type SideDescription } from './errand.js'
import type { Phase } from './runner.js'
import type { Failure } from './thread.js'

/**
 * The threads of a conversion or comparison. Where all files are of this machine the calling thread is one of them, in
 * slices, between which it looks after signals and progress: a thread takes longer to start than a small image to be read,
 * so others are started only when there is more to do than that. A file on a web server may make a thread wait for long, as
 * does a limit of the rate: there the calling thread only watches.
 */
const debug = tracer('transfer')

/** Milliseconds of work between two looks at signals. */
const SLICE = 20

/** Milliseconds between two reports. */
const REPORT = 100

/** More threads than processors wait for each other; for web servers, and not for the processor. */
const MOST = 4
const MOST_REMOTE = 8

export interface Progress {
  /** Bytes of the disk that are behind, of so many. */
  readonly done: number
  readonly total: number
  /** Bytes that were read and written. */
  readonly read: number
  readonly written: number
}

export interface CrewOptions {
  /** Threads; null: as many as are good for it. */
  readonly threads: number | null
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** An error of a thread; `phase` is what it was doing. */
export class CrewError extends Error {
  constructor(
    override readonly cause: Error,
    readonly phase: Phase,
  ) {
    super(cause.message)
  }
}

/**
 * Has threads go through the disks until all is done. Rejects with CrewError, or with the reason of `signal`; then, too,
 * no thread runs any more.
 */
export async function runCrew(errand: Errand, options: CrewOptions): Promise<Course> {
  const { signal, onProgress } = options
  const course = new Course(errand.course)
  const total = course.end
  signal?.throwIfAborted()
  const report = (): void =>
    onProgress?.({ done: course.position, total, read: course.read, written: course.written })
  const stop = (): void => course.stop()
  signal?.addEventListener('abort', stop)
  const reports = setInterval(report, REPORT)
  try {
    const isRemote = errand.sides.some(isOnServer)
    const count = options.threads ?? (isRemote ? MOST_REMOTE : Math.min(MOST, availableParallelism()))
    const failure =
      isRemote || errand.rate !== null
        ? await others(errand, course, count)
        : await together(errand, course, count - 1, signal)
    signal?.throwIfAborted()
    if (failure !== null) throw failure
  } finally {
    clearInterval(reports)
    signal?.removeEventListener('abort', stop)
  }
  report()
  return course
}

/** This thread, and `count` others. */
async function together(
  errand: Errand,
  course: Course,
  count: number,
  signal: AbortSignal | undefined,
): Promise<CrewError | null> {
  const runner = runnerOf(errand, course)
  let crew: Worker[] = []
  let failures: Promise<CrewError | null> = Promise.resolve(null)
  let failure: CrewError | null = null
  try {
    for (let more = true; more && !signal?.aborted; ) {
      const until = performance.now() + SLICE
      while (more && performance.now() < until) more = runner.step()
      if (more && crew.length < count) {
        crew = Array.from({ length: count }, () => start(errand))
        failures = ends(crew, course)
      }
      await turn()
    }
  } catch (error) {
    course.stop()
    failure = new CrewError(error as Error, runner.phase)
  }
  // Who has not begun yet holds nothing.
  if (course.close() === 0) for (const worker of crew) void worker.terminate()
  return failure ?? (await failures)
}

/** `count` threads, without this one. */
function others(errand: Errand, course: Course, count: number): Promise<CrewError | null> {
  return ends(
    Array.from({ length: count }, () => start(errand)),
    course,
  )
}

function start(errand: Errand): Worker {
  return new Worker(new URL('./thread.js', import.meta.url), { workerData: errand })
}

/** Resolves when all threads have ended, with what the first of them failed by. */
async function ends(crew: readonly Worker[], course: Course): Promise<CrewError | null> {
  let failure: CrewError | null = null
  for (const worker of crew) {
    worker.on('message', (message: Failure) => {
      debug('%s', message.stack)
      failure ??= new CrewError(errorOf(message), message.phase)
    })
    worker.on('error', error => {
      course.stop()
      failure ??= new CrewError(error as Error, 'reading')
    })
  }
  await Promise.all(crew.map(worker => new Promise(resolve => worker.on('exit', resolve))))
  return failure
}

function errorOf({ message, code, errno, syscall, path }: Failure): Error {
  if (code !== null) return new ImageError(code, message, errno === null ? {} : { errno })
  if (errno === null || syscall === null || path === null) return new Error(message)
  return new SystemError(errno, syscall, path)
}

function isOnServer({ disk }: SideDescription): boolean {
  return disk.layers.some(({ file }) => file.remote !== undefined)
}
