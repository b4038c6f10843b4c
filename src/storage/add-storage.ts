import { execFileSync } from 'node:child_process'
import { tracer } from '../trace.js'

const debug = tracer('storage')

/**
 * Runs the shell command that an image's header names for making `path` longer: a stranger's words, so only where the
 * user allowed it. Whether it helped is seen by the file's size, so a failure is not one here.
 */
export function addStorage(command: string, path: string): void {
  try {
    execFileSync('/bin/sh', ['-c', command], { stdio: 'ignore', timeout: TIME_LIMIT })
  } catch (error) {
    debug('%s: add_storage_cmd failed: %s', path, error)
  }
}

/** Milliseconds. */
const TIME_LIMIT = 60_000
