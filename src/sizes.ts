import { ImageError } from './errors.js'

const SUFFIXES = 'KMGTP'

/**
 * Bytes of "512", "64k", "1.5G": what qemu-img takes as a size. Suffixes K, M, G, T, P (either case) are powers of 1024.
 * Throws ImageError INVALID for anything else, and for sizes from 2^53 bytes on or that are no whole number of bytes.
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGTP])?$/i.exec(text)
  if (match === null) {
    throw new ImageError(
      'INVALID',
      `"${text}" is not a size; write a number with K, M, G, T or P behind it, such as 10G`,
    )
  }
  const suffix = match[2]
  const unit = suffix === undefined ? 1 : 1024 ** (SUFFIXES.indexOf(suffix.toUpperCase()) + 1)
  const size = Number(match[1]) * unit
  if (size > Number.MAX_SAFE_INTEGER)
    throw new ImageError('INVALID', `"${text}" is not below 2^53 bytes (8 PiB)`)
  // Fractions of a unit are rounded as qemu-img does; a fraction of a byte is a mistake.
  if (suffix === undefined && !Number.isInteger(size)) {
    throw new ImageError('INVALID', `"${text}" is not a whole number of bytes`)
  }
  return Math.floor(size)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** "1 GiB", "1.5 KiB", "580 KiB": three significant digits, as qemu-img prints sizes. */
export function humanSize(bytes: number): string {
  let unit = 0
  let value = bytes
  // From 1000 on, not 1024: "0.977 KiB" needs less room than "1000 B".
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`
}

/** "1 GiB (1073741824 bytes)". */
export function humanSizeWithBytes(bytes: number): string {
  return `${humanSize(bytes)} (${bytes} bytes)`
}
