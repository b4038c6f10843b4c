import { realpathSync } from 'node:fs'
import { createImage } from '../disk/create.js'
import { type BackingPolicy, resolveBacking } from '../disk/gate.js'
import { inspectImage } from '../disk/inspect.js'
import { type OpenImage, openImage } from '../disk/open.js'
import { ImageError } from '../errors.js'
import type { BackingReference } from '../formats/format.js'
import { SystemError } from '../libc/errno.js'
import { hideCredentials, isUrl } from '../storage/http/url.js'
import { explainNoRoom } from '../storage/no-room.js'
import type { Ground } from './converter.js'
import { Course } from './course.js'
import { CrewError, type Progress, runCrew } from './crew.js'
import { filesOf, identitiesOf } from './identities.js'
import { NewFiles } from './new-files.js'
import { lockOld, lookUp } from './old-file.js'

export interface ConvertImageOptions {
  /** The format of the source; null: by its magic, which raw has none of. */
  sourceFormat?: string | null
  /** The format of the target. */
  format: string
  /** Options of that format, as for createImage(). */
  options?: ReadonlyMap<string, string>
  /** The backing file of the target: only what differs from it is stored. */
  backing?: BackingReference | null
  /** Replaces an existing target, in the moment in which the new one is complete. */
  overwrite?: boolean
  /** Writes into a target that exists: a block device, say, which cannot be replaced. What is there is lost at once. */
  existing?: boolean
  /** Which backing files of the source are opened. */
  backingPolicy?: BackingPolicy
  allowDevices?: boolean
  /** Reads a source that another program writes. */
  forceShare?: boolean
  /** Threads; default: by the processors, and by where the source is. */
  threads?: number | null
  /** Bytes per second that are read at most; null: no limit. */
  rate?: number | null
  /** Ends the conversion: the promise is rejected with its reason, and there is no target. */
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

export interface Converted {
  /** Virtual size of the target in bytes. */
  readonly size: number
  /** Bytes that were read, and written. */
  readonly read: number
  readonly written: number
  readonly warnings: readonly string[]
}

/**
 * Makes an image of another format that shows the same disk: holes and zeros take no room in it. It has its name only when
 * it is complete and durable; when anything fails nothing of it is left, and a file that was to be replaced is as it was.
 *
 * Rejects with ImageError or SystemError, or with the reason of `signal`.
 */
export async function convertImage(
  path: string,
  target: string,
  options: ConvertImageOptions,
): Promise<Converted> {
  const { sourceFormat = null, backingPolicy, allowDevices, forceShare } = options
  if (isUrl(target)) {
    throw new ImageError('INVALID', `${hideCredentials(target)}: lies on a web server; name a file here`)
  }
  const source = openImage(path, { format: sourceFormat, backing: backingPolicy, allowDevices, forceShare })
  try {
    mustNotBelong(target, source)
    return options.existing ? await fill(source, target, options) : await make(source, target, options)
  } finally {
    source.drop()
  }
}

/** A new file. */
async function make(source: OpenImage, target: string, options: ConvertImageOptions): Promise<Converted> {
  const { backing = null, format } = options
  if (backing !== null && options.overwrite) mustNotBeBelow(target, backing)
  const old = lockOld(target, options.overwrite ?? false, 'write into it with --no-create')
  const host = new NewFiles(old === null ? null : realpathSync(target))
  try {
    createImage(target, { format, size: source.disk.size, backing, options: options.options, host })
    const image = openImage(target, { writable: true, format, allowDevices: true, host })
    const converted = await bring(source, image, backing === null ? 'zeros' : 'base', options)
    host.publish()
    return converted
  } catch (error) {
    throw explained(error, target)
  } finally {
    host.discard()
    old?.close()
  }
}

/** Into what is there. */
async function fill(source: OpenImage, target: string, options: ConvertImageOptions): Promise<Converted> {
  mustHaveImage(target, options.format)
  const image = openImage(target, { writable: true, format: options.format, allowDevices: true })
  const { size } = image.disk
  if (size >= source.disk.size) {
    try {
      return await bring(source, image, 'anything', options)
    } catch (error) {
      throw explainNoRoom(
        error,
        `${target} is written over in part, and of no use`,
        'make room, and convert again',
      )
    }
  }
  image.close()
  throw new ImageError(
    'INVALID',
    `${target}: has ${size} bytes, and the disk to be converted has ${source.disk.size}; take a larger one`,
  )
}

/** Of another format than raw, an image must be there already. */
function mustHaveImage(target: string, format: string): void {
  if (format === 'raw') return
  try {
    if (inspectImage(target, { forceShare: true }).format === format) return
  } catch (error) {
    // What else is wrong, the open says.
    if (!(error instanceof ImageError && error.code === 'FORMAT_UNKNOWN')) return
  }
  throw new ImageError(
    'INVALID',
    `${target}: has no ${format} image in it that could be written; leave out -O ${format} to make it a plain disk, or name a new file without -n`,
  )
}

/** Closes the target: all of it is durable then. */
async function bring(
  source: OpenImage,
  target: OpenImage,
  ground: Ground,
  { threads = null, rate = null, signal, onProgress }: ConvertImageOptions,
): Promise<Converted> {
  try {
    const sides = [sideOf(source), sideOf(target)] as const
    // Behind the end of the source its last sector is filled up with zeros, of which only a base has none.
    const end = ground === 'base' ? target.disk.size : source.disk.size
    const course = await runCrew(
      { course: Course.allocate(end), sides, ground, rate },
      { threads, signal, onProgress },
    )
    const { size } = target.disk
    const warnings = source.warnings
    target.close()
    return { size, read: course.read, written: course.written, warnings }
  } catch (error) {
    throw error instanceof CrewError ? error.cause : error
  } finally {
    target.drop()
  }
}

function sideOf({ disk }: OpenImage) {
  const description = disk.describe()
  return { disk: description, files: identitiesOf(description) }
}

/** Writing over what is being read would lose it. */
function mustNotBelong(target: string, source: OpenImage): void {
  const path = memberAt(target, source)
  if (path === null) return
  const what =
    path === source.disk.path ? 'is the image that is converted' : `is part of its chain, as ${path}`
  throw new ImageError('REFUSED', `${target}: ${what}; choose another name for the new image`)
}

/** The same for what the new image is to stand on. */
function mustNotBeBelow(target: string, { name, format }: BackingReference): void {
  const path = resolveBacking(name, target)
  if (path === null) return // refused when it is opened
  const base = openImage(path, { format, allowDevices: true })
  const found = memberAt(target, base)
  base.drop()
  if (found === null) return
  throw new ImageError(
    'REFUSED',
    `${target}: belongs to the chain of the backing file ${hideCredentials(name)}; choose another name for the new image`,
  )
}

/** The file of the image's chain that is the target, by whatever name; null when none is. */
function memberAt(target: string, image: OpenImage): string | null {
  const facts = lookUp(target)
  if (facts === null) return null
  for (const { path, identity } of filesOf(image.disk.describe()))
    if (identity === facts.identity) return path
  return null
}

function explained(error: unknown, target: string): unknown {
  if (error instanceof SystemError && error.code === 'EEXIST') {
    return new ImageError(
      'REFUSED',
      `${target}: exists already; replace it with --force, or choose another name`,
      { errno: error.errno, cause: error },
    )
  }
  return explainNoRoom(
    error,
    'nothing is left of the new image',
    'make room ("rawmount measure" says how much), and try again',
  )
}
