import { ImageError } from '../../errors.js'
import { reportError } from '../display/report.js'

/** What mount(8) and umount(8) hand on from a helper as their own exit codes. @see man 8 mount, "Exit status" */
const USAGE = 1
const FAILURE = 32

/** Runs a helper of theirs: what it throws is told, and becomes one of these codes. */
export async function withHelperCodes(helper: () => Promise<number>): Promise<number> {
  try {
    return await helper()
  } catch (error) {
    reportError(error)
    return error instanceof ImageError && error.code === 'INVALID' ? USAGE : FAILURE
  }
}
