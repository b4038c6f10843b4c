import { parentPort, workerData } from 'node:worker_threads'
import { ImageError, type ImageErrorCode } from '../errors.js'
import { Course } from './course.js'
import { type Errand, runnerOf } from './errand.js'
import type { Phase } from './runner.js'

/** Posted by a thread that failed, before it ends: classes of errors do not cross threads. */
export interface Failure {
  readonly message: string
  readonly code: ImageErrorCode | null
  readonly errno: number | null
  readonly syscall: string | null
  readonly path: string | null
  readonly phase: Phase
  readonly stack: string
}

/** The whole life of a thread is one synchronous loop, which ends when no piece is left. */
const errand = workerData as Errand
const course = new Course(errand.course, errand.rate)
const runner = runnerOf(errand, course)
if (course.join()) {
  try {
    while (runner.step());
  } catch (error) {
    // Nobody needs to go on.
    course.stop()
    parentPort!.postMessage(failureOf(error as Error))
  }
}

function failureOf(error: Error): Failure {
  const { errno, syscall, path } = error as { errno?: number; syscall?: string; path?: string }
  return {
    message: error.message,
    code: error instanceof ImageError ? error.code : null,
    errno: errno ?? null,
    syscall: syscall ?? null,
    path: path ?? null,
    phase: runner.phase,
    stack: error.stack ?? '',
  }
}
