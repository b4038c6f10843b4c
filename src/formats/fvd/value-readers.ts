import { ImageError } from '../../errors.js'
import { parseSize } from '../../sizes.js'

/** What the user wrote for a field, as the header has it. Throws ImageError INVALID that names neither file nor field. */
export type Reader<T extends number | string = number | string> = (text: string) => T

const MAX_U32 = 2 ** 32 - 1
const MAX_I32 = 2 ** 31 - 1

const FLAG_WORDS: Readonly<Record<string, number>> = {
  on: 1,
  off: 0,
  '1': 1,
  '0': 0,
  true: 1,
  false: 0,
  yes: 1,
  no: 0,
}

export const flag: Reader<number> = text => {
  const value = flagWord(text)
  if (value === null) throw invalid(`takes on or off, not "${text}"`)
  return value
}

export function flagWord(text: string): number | null {
  return Object.hasOwn(FLAG_WORDS, text) ? FLAG_WORDS[text]! : null
}

interface Range {
  readonly min?: number
  readonly max?: number
  /** The value is a multiple of this. */
  readonly unit?: number
}

/** Bytes, with suffixes. */
export function size({ min = 0, max = MAX_U32, unit = 1 }: Range): Reader<number> {
  return text => {
    const value = parseSize(text)
    if (value < min || value > max) throw invalid(`is ${value} bytes, and can be ${min} to ${max}`)
    if (value % unit !== 0) {
      throw invalid(
        `is ${value} bytes, not a multiple of ${unit}; take ${nearestMultiple(value, unit, min, max)}`,
      )
    }
    return value
  }
}

export function integer({ min = 0, max = MAX_U32 }: Range): Reader<number> {
  return text => {
    const value = Number(text)
    if (!/^-?\d{1,15}$/.test(text) || value < min || value > max) {
      throw invalid(`takes a number from ${min} to ${max}, not "${text}"`)
    }
    // "-0" is 0.
    return value + 0
  }
}

/** Seconds of a delay; 0 and less is off. */
export const delay: Reader<number> = integer({ min: -MAX_I32, max: MAX_I32 })

export function word(...words: readonly string[]): Reader<string> {
  return text => {
    if (words.includes(text)) return text
    throw invalid(`takes ${words.filter(known => known !== '').join(', ')}, not "${text}"`)
  }
}

/** A text of at most `limit` bytes; its field has one more, for the NUL. */
export function text(limit: number, { empty }: { readonly empty: boolean }): Reader<string> {
  return text => {
    const { length } = new TextEncoder().encode(text)
    if (!empty && length === 0) throw invalid('must not be empty')
    if (length > limit)
      throw invalid(`has ${length} bytes, and there is room for ${limit}; take a shorter one`)
    if (text.includes('\0')) throw invalid('contains a NUL byte')
    if (text.includes('\ufffd')) throw invalid('is not UTF-8')
    return text
  }
}

export function invalid(what: string): ImageError {
  return new ImageError('INVALID', what)
}

function nearestMultiple(value: number, unit: number, min: number, max: number): number {
  const above = Math.ceil(value / unit) * unit
  return above <= max ? Math.max(above, min) : above - unit
}
