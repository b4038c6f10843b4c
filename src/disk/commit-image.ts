import { errnoOf, ImageError } from '../errors.js'
import { isWritable } from '../formats/driver.js'
import type { OpenedImage } from '../formats/format.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { hideCredentials, isUrl } from '../storage/http/url.js'
import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { Chain } from './chain.js'
import type { Disk } from './disk.js'
import { Extent, ExtentWalk } from './extents.js'
import { type BackingPolicy, OpenGate } from './gate.js'
import { formatOfNamed } from './probe.js'
import { ReadPath } from './read-path.js'
import { resizeImage } from './resize.js'

export interface CommitImageOptions {
  format?: string | null
  /** The image keeps what it has; default: it is emptied. */
  keep?: boolean
  backing?: BackingPolicy
  allowDevices?: boolean
  host?: StorageHost
}

/** Bytes that are moved at a time. */
const PIECE = 1 << 20

/** Bytes after which the base is flushed, so that the last flush is no surprise. */
const FLUSH_AFTER = 256 << 20

/** Bytes, for each image. */
const METADATA_CACHE = 32 << 20

/**
 * Brings what an image has into its base, and then empties the image:
 *
 *   1. what is present in the image is written to the base, at the same place
 *   2. the base is flushed, and left as cleanly closed
 *   3. the image is emptied (Format.empty), but when it is to keep what it has
 *
 * A base that is smaller than the image is made as large before, and shows zeros there, as the image did.
 *
 * The base changes only where the image hides it, and the image gives up only what the base has durably; so whatever a cut
 * leaves, both together show the same disk as before. The same once more goes on from there: what the base has already is
 * found equal, up to the first piece that is not.
 *
 * Both are locked for writing from the open on. Belongs to one thread. open(), copy() to its end, finish(); or stop() at any
 * time. drop() closes the files as they are.
 */
export class ImageCommit {
  /** Bytes of the disk that the image has, as data; 0 before copy() has counted them. */
  total = 0
  /** Of them, those that the base has, too. */
  done = 0
  private readonly extent = new Extent()
  private readonly own: ExtentWalk
  private readonly reads: ReadPath
  private readonly base: Disk
  private readonly mine = new IoBuffer(PIECE)
  private readonly theirs = new IoBuffer(PIECE)
  private isBehind = false
  private sinceFlush = 0

  /** Throws ImageError, and has then changed nothing; or the base is as large as the image, and else the same. */
  static open(path: string, options: CommitImageOptions = {}): ImageCommit {
    const { keep = false } = options
    let chain = openChain(path, options)
    const [top, base] = chain.members
    const { size } = top!.opened.driver
    if (base!.opened.driver.size < size) {
      chain.drop()
      const { allowDevices = false, host = systemHost } = options
      resizeImage(base!.file.path, size, { format: base!.format.name, allowDevices, host })
      chain = openChain(path, options)
    }
    try {
      chain.beginWriting()
      return new ImageCommit(chain, keep)
    } catch (error) {
      chain.drop()
      throw error
    }
  }

  private constructor(
    private readonly chain: Chain,
    private readonly keeps: boolean,
  ) {
    const [top] = chain.layers()
    this.own = new ExtentWalk([top!])
    this.reads = new ReadPath([top!])
    this.base = chain.baseDisk()
  }

  get basePath(): string {
    return this.base.path
  }

  /** Step 1, in pieces: the caller looks after the user in between. Throws ImageError; stop() or drop() is next. */
  *copy(): Generator<void> {
    yield* this.count()
    const { base, extent } = this
    const { size } = this.chain.members[0]!.opened.driver
    for (let at = 0; at < size; at += extent.length) {
      this.own.next(at, Math.min(PIECE, size - at), extent)
      if (extent.present) {
        this.explaining(() => {
          if (!isData(extent)) base.zero(at, extent.length)
          else this.copyPiece(at, extent.length)
          this.flushSometimes(extent.length)
        })
        if (isData(extent)) this.done += extent.length
      }
      yield
    }
  }

  /** Steps 2 and 3, and the end: all files are closed, also when it throws. */
  finish(): void {
    try {
      this.explaining(() => this.base.finish())
      const { file, format, opened, companion } = this.chain.members[0]!
      if (!this.keeps) {
        if (isWritable(opened.driver)) opened.driver.finish()
        format.empty!(file, companion?.file ?? null)
      }
      this.chain.finish()
    } finally {
      this.drop()
    }
  }

  /** The end before the end: what the base has got is durable, the image is as it was, and all files are closed. */
  stop(): void {
    try {
      this.explaining(() => this.base.finish())
      const { driver } = this.chain.members[0]!.opened
      if (!this.keeps && isWritable(driver)) driver.finish()
      this.chain.finish()
    } finally {
      this.drop()
    }
  }

  drop(): void {
    this.chain.drop()
  }

  private *count(): Generator<void> {
    const { extent } = this
    const { size } = this.chain.members[0]!.opened.driver
    for (let at = 0; at < size; at += extent.length) {
      this.own.next(at, size - at, extent)
      if (isData(extent)) this.total += extent.length
      yield
    }
  }

  private copyPiece(offset: number, length: number): void {
    const { base, mine, theirs } = this
    this.reads.read(0, offset, length, mine, 0)
    if (!this.isBehind) {
      base.read(offset, length, theirs, 0)
      if (Buffer.compare(mine.bytes.subarray(0, length), theirs.bytes.subarray(0, length)) === 0) return
      this.isBehind = true
    }
    base.write(offset, length, mine, 0)
  }

  private flushSometimes(length: number): void {
    this.sinceFlush += length
    if (this.sinceFlush < FLUSH_AFTER) return
    this.sinceFlush = 0
    this.base.flush()
  }

  private explaining(act: () => void): void {
    try {
      act()
    } catch (error) {
      if (error instanceof ImageError && error.code !== 'IO') throw error
      const image = this.chain.members[0]!.file.path
      throw new ImageError(
        'IO',
        `${this.base.path}: has not got all that ${image} has: ${(error as Error).message}; the image still has it: put the storage right, and run the same command again`,
        { errno: errnoOf(error), cause: error },
      )
    }
  }
}

/** All that can be refused is refused here; nothing is written yet. */
function openChain(path: string, options: CommitImageOptions): Chain {
  const { format = null, keep = false, backing = 'follow', allowDevices = false, host = systemHost } = options
  const gate = new OpenGate(host, backing, allowDevices)
  const chain = new Chain(
    { host, gate, forceShare: false, metadataCache: METADATA_CACHE, allowStorageCommand: false },
    true,
  )
  try {
    const file = gate.openNamed(path, !keep)
    chain.open(
      file,
      () => formatOfNamed(file, format),
      top => {
        mustHaveWritableBase(file.path, top)
        return 'commit'
      },
    )
    mustBeEmptied(chain, keep)
    mustBeLast(chain)
    return chain
  } catch (error) {
    chain.drop()
    throw error
  }
}

/** Data in a hole is zeros, and is to be a hole in the base, too. */
function isData({ data, hole }: Extent): boolean {
  return data && !hole
}

function mustHaveWritableBase(path: string, { backing }: OpenedImage): void {
  if (backing === null) {
    throw new ImageError(
      'INVALID',
      `${path}: has no base, or needs it no more: there is nothing to commit to`,
    )
  }
  if (!isUrl(backing.name)) return
  throw new ImageError(
    'INVALID',
    `${path}: its base ${hideCredentials(backing.name)} lies on a web server, and can only be read; nothing can be committed there`,
  )
}

function mustBeEmptied({ members }: Chain, keep: boolean): void {
  const { file, format } = members[0]!
  if (keep || format.empty !== undefined) return
  throw new ImageError(
    'INVALID',
    `${file.path}: images of the format ${format.name} are only read, so it cannot be emptied; say --keep`,
  )
}

/** A base that is the cache of its own base is trusted, once it was closed, to have nothing that this one has not. */
function mustBeLast({ members }: Chain): void {
  const { file, opened } = members[1]!
  if ((opened.copySettings?.writeBase ?? 'no') === 'no') return
  throw new ImageError(
    'INVALID',
    `${file.path}: is the cache of its own base (write_updates_base_img), which would not get what is committed; say "rawmount update ${file.path} write_updates_base_img=no" first`,
  )
}
