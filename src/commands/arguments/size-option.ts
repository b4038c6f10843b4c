import { parseSize } from '../../sizes.js'
import { humanSize } from '../display/human-size.js'
import { invalid, type Option } from './options.js'

/** An option whose value is a number of bytes, at least `min`: 65536, 64K, 1M. */
export function size<D extends number | null>(
  long: string,
  valueName: string,
  min: number,
  defaultValue: D,
  help: string,
): Option<number | D> {
  return {
    kind: 'size',
    short: null,
    long,
    valueName,
    choices: [],
    default: defaultValue,
    help,
    read(value) {
      const bytes = readSize(value, 'takes a size')
      if (bytes < min) throw invalid(`takes at least ${humanSize(min)}, not '${value}'`)
      return bytes
    },
  }
}

/** Bytes for "20G"; throws with `what` in front when `value` is no size. */
export function readSize(value: string, what: string): number {
  try {
    return parseSize(value)
  } catch (error) {
    throw invalid(`${what}: ${(error as Error).message}`)
  }
}
