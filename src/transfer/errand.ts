import { attachDisk } from '../disk/attach.js'
import type { DiskDescription } from '../disk/descriptions.js'
import { Comparer } from './comparer.js'
import { Converter, type Ground } from './converter.js'
import type { Course } from './course.js'
import type { Identities } from './looks.js'
import type { Runner } from './runner.js'

/** What is to be done, as threads are started with it: plain data and SharedArrayBuffers. */
export interface Errand {
  readonly course: SharedArrayBuffer
  /** The source and the target, or the two that are compared. */
  readonly sides: readonly [SideDescription, SideDescription]
  /** Null: compare. */
  readonly ground: Ground | null
  /** Bytes per second that are read at most; null: no limit. */
  readonly rate: number | null
}

export interface SideDescription {
  readonly disk: DiskDescription
  readonly files: Identities
}

export function runnerOf({ sides, ground }: Errand, course: Course): Runner {
  const [first, second] = sides.map(({ disk, files }) => ({ disk: attachDisk(disk), files }))
  return ground === null
    ? new Comparer(course, first!, second!)
    : new Converter(course, first!, second!, ground)
}
