import { errnoOf, ImageError } from '../errors.js'
import type { WritableDriver } from '../formats/driver.js'
import type { BackingReference, NewBacking } from '../formats/format.js'
import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { mustHaveBackingName, mustNotBeCache } from './backing-name.js'
import { Chain } from './chain.js'
import { ImageCompanion } from './companion.js'
import type { Disk } from './disk.js'
import { type BackingPolicy, DEPTH_LIMIT, OpenGate } from './gate.js'
import { formatOfNamed, formatOfNewBase } from './probe.js'
import { RebaseCopy } from './rebase-copy.js'

export interface RebaseImageOptions {
  format?: string | null
  backing?: BackingPolicy
  allowDevices?: boolean
  host?: StorageHost
}

/** Bytes, for each image. */
const METADATA_CACHE = 32 << 20

/**
 * Puts an image on another base, with its contents as they are:
 *
 *   1. where the image has nothing, and the bases differ, it gets what it shows (rebase-copy.ts)
 *   2. the image is flushed, and left as cleanly closed
 *   3. its header names the new base (Format.setBacking), or none
 *
 * What was copied is what showed before, so up to step 3 the image is as good on its old base as on the new one. The same
 * once more goes on from there.
 *
 * The image is locked for writing, the bases for reading, from the open on. Belongs to one thread. open(), copy() to its
 * end, finish(); or stop() at any time. drop() closes the files as they are.
 */
export class ImageRebase {
  private readonly disk: Disk
  private readonly work: RebaseCopy

  /** `backing`: as the header will name it; null: none. Throws ImageError, and has then changed nothing. */
  static open(path: string, backing: BackingReference | null, options: RebaseImageOptions = {}): ImageRebase {
    const { format = null, backing: policy = 'follow', allowDevices = false, host = systemHost } = options
    const gate = () => new OpenGate(host, policy, allowDevices)
    const context = {
      host,
      forceShare: false,
      metadataCache: METADATA_CACHE,
      allowStorageCommand: false,
    }
    const firstGate = gate()
    const chain = new Chain({ ...context, gate: firstGate }, true)
    // The new chain may have files of the old one, but not the image itself.
    const secondGate = gate()
    const below = new Chain({ ...context, gate: secondGate }, false, 1)
    try {
      const file = firstGate.openNamed(path, true)
      advising(() => chain.open(file, () => formatOfNamed(file, format)))
      const [top] = chain.members
      mustHaveBackingName(file.path, top!.format)
      mustNotBeCache(file.path, top!.opened)
      secondGate.openNamed(path, false).close()
      if (backing !== null) {
        const { name, format: said } = backing
        const base = secondGate.openBacking(name, path, DEPTH_LIMIT - 1)
        below.open(base.file, () => formatOfNewBase(base.file, said))
      }
      const named = describeNew(below, backing)
      // An FVD image gives its base up without a change of the name.
      if (named !== null || top!.opened.backingSize === undefined) top!.format.checkBacking!(file, named)
      chain.beginWriting()
      return new ImageRebase(chain, below, named)
    } catch (error) {
      below.drop()
      chain.drop()
      throw error
    }
  }

  private constructor(
    private readonly chain: Chain,
    private readonly below: Chain,
    private readonly backing: NewBacking | null,
  ) {
    this.disk = chain.disk(true)
    const { driver, backingSize } = chain.members[0]!.opened
    this.work = new RebaseCopy({
      disk: this.disk,
      driver: driver as WritableDriver,
      base: backing === null ? null : below.disk(false),
      isZeroBehind: backingSize === undefined,
      // An offset in a data file that is an image is no place in that file.
      hasPlaces: ![...chain.members, ...below.members].some(
        ({ companion }) => companion instanceof ImageCompanion,
      ),
    })
  }

  /** Bytes that are to be compared, and that were; 0 before copy() has counted them. */
  get total(): number {
    return this.work.total
  }

  get done(): number {
    return this.work.done
  }

  /** Bytes that differed, and are in the image now. */
  get copied(): number {
    return this.work.copied
  }

  /** Step 1, in pieces: the caller looks after the user in between. Throws; stop() or drop() is next. */
  *copy(): Generator<void> {
    try {
      yield* this.work.run()
    } catch (error) {
      if (error instanceof ImageError && error.code !== 'IO') throw error
      const { path } = this.chain.members[0]!.file
      throw new ImageError(
        'IO',
        `${path}: has not got all that the new base lacks: ${(error as Error).message}; it is on its old base, and shows the same: put the storage right, and run the same command again`,
        { errno: errnoOf(error), cause: error },
      )
    }
  }

  /** Steps 2 and 3, and the end: all files are closed, also when it throws. */
  finish(): void {
    const { chain, disk, backing } = this
    try {
      const { file, format, opened } = chain.members[0]!
      if (backing === null) {
        disk.flush()
        // Step 3 before the close, as a driver does it.
        if (opened.backing !== null) (opened.driver as WritableDriver).becomeIndependent!()
      }
      disk.finish()
      if (backing !== null) format.setBacking!(file, backing)
      chain.finish()
    } finally {
      this.drop()
    }
  }

  /** The end before the end: what was copied is kept, the image is on its old base, and all files are closed. */
  stop(): void {
    try {
      this.disk.finish()
      this.chain.finish()
    } finally {
      this.drop()
    }
  }

  drop(): void {
    this.below.drop()
    this.chain.drop()
  }
}

/** Who cannot open the old base cannot compare; but may know that the new one has the same. */
function advising(open: () => void): void {
  try {
    open()
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'NOT_FOUND') throw error
    throw new ImageError(
      'NOT_FOUND',
      `${error.message}; or say -u, if the new one has the same contents as this one had`,
      { errno: error.errno, cause: error },
    )
  }
}

function describeNew(below: Chain, backing: BackingReference | null): NewBacking | null {
  const [newBase] = below.members
  if (backing === null || newBase === undefined) return null
  return { ...backing, size: newBase.opened.driver.size }
}
