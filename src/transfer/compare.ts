import type { OpenImage } from '../disk/open.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { Course } from './course.js'
import { type CrewOptions, runCrew } from './crew.js'
import { identitiesOf } from './identities.js'

export interface CompareOptions extends Partial<CrewOptions> {
  /** Disks of different sizes differ. */
  readonly strict?: boolean
}

interface Facts {
  readonly sizes: readonly [number, number]
  /** Bytes of both that were read. */
  readonly read: number
}

export type Compared = Facts &
  (
    | { readonly same: true }
    /** Only with `strict`. */
    | { readonly same: false; readonly what: 'size' }
    | {
        readonly same: false
        readonly what: 'data'
        /** Bytes from the beginning of the disks to the first byte that differs, and that byte of each; 0 behind an end. */
        readonly offset: number
        readonly bytes: readonly [number, number]
      }
  )

/**
 * Whether two disks show the same bytes; behind the end of the shorter one the longer has zeros, unless `strict`. Rejects
 * with CrewError, which says what could not be read, or with the reason of `signal`.
 */
export async function compareImages(
  first: OpenImage,
  second: OpenImage,
  { strict = false, threads = null, signal, onProgress }: CompareOptions = {},
): Promise<Compared> {
  const images = [first, second] as const
  const sizes = [first.disk.size, second.disk.size] as const
  if (strict && sizes[0] !== sizes[1]) return { same: false, what: 'size', sizes, read: 0 }
  const total = Math.max(...sizes)
  const sides = [sideOf(first), sideOf(second)] as const
  const course = await runCrew(
    { course: Course.allocate(total), sides, ground: null, rate: null },
    { threads, signal, onProgress },
  )
  const offset = course.end
  const { read } = course
  if (offset === total) return { same: true, sizes, read }
  const [one, other] = images.map(({ disk }) => byteAt(disk, offset))
  return { same: false, what: 'data', sizes, read, offset, bytes: [one!, other!] }
}

function sideOf({ disk }: OpenImage) {
  const description = disk.describe()
  return { disk: description, files: identitiesOf(description) }
}

function byteAt(disk: OpenImage['disk'], offset: number): number {
  if (offset >= disk.size) return 0
  const buffer = new IoBuffer(1)
  disk.read(offset, 1, buffer, 0)
  return buffer.bytes[0]!
}
