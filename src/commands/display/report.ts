import { ImageError } from '../../errors.js'
import { oneLine } from '../../one-line.js'
import { tracer } from '../../trace.js'

export { oneLine } from '../../one-line.js'

const debug = tracer('commands')

/** Tells the user what went wrong, in one line on stderr. Causes and stacks are for DEBUG=rawmount:*. */
export function reportError(error: unknown): void {
  debug('%O', error)
  process.stderr.write(`rawmount: ${oneLine(describe(error))}\n`)
}

export function warn(message: string): void {
  process.stderr.write(`rawmount: warning: ${oneLine(message)}\n`)
}

function describe(error: unknown): string {
  // By name: the class would load the C library, which --help must do without.
  if (error instanceof ImageError || (error as Error | null)?.name === 'SystemError')
    return (error as Error).message
  if ((error as NodeJS.ErrnoException | null)?.syscall === 'uv_cwd')
    return 'the working directory is gone, and so what a relative path means: cd to another'
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return `${what}: this is a bug in rawmount, please report it with the output of DEBUG=rawmount:*`
}
