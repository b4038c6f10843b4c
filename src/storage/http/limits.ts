import { ImageError } from '../../errors.js'

/** How long a server is waited for; all in milliseconds. */
export interface Limits {
  /** One try may go on so long without a byte of the server. */
  readonly silence: number
  /** Tries go on so long without a byte of the file. */
  readonly patience: number
  /** When a file is opened. */
  readonly opening: number
  /** A piece may take so long, however slowly it comes. Below the time that threads wait for each other. */
  readonly total: number
}

/** Bytes that are asked for at once, at most. */
export const PIECE = 1 << 20

/** Bytes that come with the open: all headers, and what is near them. */
export const HEAD_BYTES = 64 << 10

/** By RAWMOUNT_HTTP_TIMEOUT, in seconds; default 30. Throws ImageError INVALID. */
export function limitsOf(environment: NodeJS.ProcessEnv): Limits {
  const text = environment.RAWMOUNT_HTTP_TIMEOUT ?? '30'
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (!(seconds > 0 && seconds <= 100)) {
    throw new ImageError(
      'INVALID',
      `RAWMOUNT_HTTP_TIMEOUT=${text}: is no number of seconds from 0.1 to 100; change the environment`,
    )
  }
  const patience = seconds * 1000
  return {
    silence: patience / 3,
    patience,
    opening: Math.min(patience, 10_000),
    total: Math.min(patience * 4, 100_000),
  }
}
