import { type ResizedImage, resizeImage } from '../disk/resize.js'
import type { Given } from './arguments/command.js'
import { usageError } from './arguments/parse.js'
import { readSize } from './arguments/size-option.js'
import { humanSizeWithBytes } from './display/human-size.js'
import { print, printJson } from './display/output.js'
import { oneLine } from './display/report.js'
import { namingUsers } from './file-users.js'
import { resize } from './table/resize.js'

export async function run({ values, operands }: Given<typeof resize>): Promise<number> {
  const [path = '', text = ''] = operands
  const { force, shrink } = values
  if (force && !shrink)
    throw usageError(resize, "option '--force' is about what --shrink cuts off: give both")
  const done = namingUsers([path], () => resizeImage(path, sizeOf(path, text), values))
  if (values.output === 'json') await printJson({ filename: path, ...done })
  else if (!values.quiet) await print(oneLine(`${path}: ${told(done)}`).concat('\n'))
  return 0
}

function sizeOf(path: string, text: string): number | { by: number } {
  const what = `${path}: SIZE`
  if (text.startsWith('+')) return { by: readSize(text.slice(1), what) }
  return text.startsWith('-') ? { by: -readSize(text.slice(1), what) } : readSize(text, what)
}

function told({ before, after }: ResizedImage): string {
  if (after === before) return `has ${humanSizeWithBytes(after)} already; nothing was changed`
  const change = after > before ? 'grown' : 'shrunk'
  return `${change} from ${humanSizeWithBytes(before)} to ${humanSizeWithBytes(after)}`
}
