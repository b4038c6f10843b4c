import createDebug from 'debug'
import { ImageError } from '../../errors.js'

const debug = createDebug('rawmount:commands')

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
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return `${what}: this is a bug in rawmount, please report it with the output of DEBUG=rawmount:*`
}

/** File names and header fields come from strangers: no line break, no escape sequence of theirs gets out. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach the terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, character => {
    if (character === '\n') return '\\n'
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
