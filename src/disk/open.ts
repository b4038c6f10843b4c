import type { Format, ImageFacts, OpenedImage } from '../formats/format.js'
import { RangeLock } from '../shared/range-lock.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { Committer } from './committer.js'
import { Disk } from './disk.js'
import { BACKING_POLICIES, type BackingPolicy, DEPTH_LIMIT, OpenGate } from './gate.js'
import { formatOfBacking, formatOfNamed } from './probe.js'

export interface OpenImageOptions {
  /** Default false: not a byte of any file is changed. */
  writable?: boolean
  /** The format by name; default: by the file's magic, which raw has none of. */
  format?: string | null
  /** Bytes of memory for cached metadata; default 32 MiB. */
  metadataCache?: number
  /** Which backing files are opened: all (default), those beside their image, none. */
  backing?: BackingPolicy
  /** Lets headers lead to block devices. */
  allowDevices?: boolean
  /** Opens without looking whether another program writes the image; what is read may then be inconsistent. */
  forceShare?: boolean
  /** Where the files are; default: this machine. */
  host?: StorageHost
}

const DEFAULTS: Required<OpenImageOptions> = {
  writable: false,
  format: null,
  metadataCache: 32 << 20,
  backing: 'follow',
  allowDevices: false,
  forceShare: false,
  host: systemHost,
}

/** One image of an open chain. */
export interface ChainMember {
  readonly path: string
  readonly format: string
  /** Virtual size in bytes. */
  readonly size: number
  /** The backing file as the header names it, and its recorded format. */
  readonly backingName: string | null
  readonly backingFormat: string | null
  readonly info: ImageFacts
  /** Bytes of storage that the file occupies, and its length. */
  readonly allocated: number
  readonly fileSize: number
}

export interface OpenImage {
  readonly disk: Disk
  /** The image, its backing file, and so on. */
  readonly chain: readonly ChainMember[]
  /** Flushes, marks the image as cleanly closed, and closes every file; those even when it throws. */
  close(): void
  /** Closes every file and writes nothing, as if the process had ended. */
  drop(): void
}

export interface Member {
  readonly file: StorageFile
  readonly format: Format
  opened: OpenedImage
}

/**
 * Opens an image with its chain of backing files. An open that fails leaves every file as it was, closed and
 * unlocked. Throws ImageError; TypeError for an option that does not exist.
 */
export function openImage(path: string, options: OpenImageOptions = {}): OpenImage {
  const settings = validate(options)
  const members: Member[] = []
  try {
    openChain(path, settings, members)
    return assemble(members, settings.writable)
  } catch (error) {
    for (const { file } of members) file.close()
    throw error
  }
}

function validate(options: OpenImageOptions): Required<OpenImageOptions> {
  for (const key of Object.keys(options)) {
    if (!(key in DEFAULTS)) throw new TypeError(`openImage: unknown option '${key}'`)
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const settings = { ...DEFAULTS, ...given }
  if (!BACKING_POLICIES.includes(settings.backing)) {
    throw new TypeError(
      `openImage: backing is one of ${BACKING_POLICIES.join(', ')}, not '${settings.backing}'`,
    )
  }
  if (!Number.isSafeInteger(settings.metadataCache) || settings.metadataCache <= 0) {
    throw new RangeError(
      `openImage: metadataCache is a positive number of bytes, not ${settings.metadataCache}`,
    )
  }
  if (settings.writable && settings.forceShare)
    throw new TypeError('openImage: forceShare is for reading only')
  return settings
}

function openChain(path: string, settings: Required<OpenImageOptions>, members: Member[]): void {
  const { host, writable, metadataCache } = settings
  const gate = new OpenGate(host, settings.backing, settings.allowDevices)

  const add = (file: StorageFile, choose: () => Format): Member => {
    // In the list first: whatever fails next, the file is closed.
    const member = { file } as { -readonly [K in keyof Member]: Member[K] }
    members.push(member)
    if (!settings.forceShare) host.lock(file)
    member.format = choose()
    // The image itself is recovered at last, when its whole chain is known to open.
    member.opened = member.format.open(file, { writable: false, metadataCache })
    return member
  }

  const named = gate.openNamed(path, writable)
  const top = add(named, () => formatOfNamed(named, settings.format))
  let above = top
  while (above.opened.backing !== null) {
    const { name, format } = above.opened.backing
    const { file } = gate.openBacking(name, above.file.path, DEPTH_LIMIT - members.length)
    above = add(file, () => formatOfBacking(file, format))
  }
  if (writable) top.opened = top.format.open(top.file, { writable, metadataCache })
}

function assemble(members: readonly Member[], writable: boolean): OpenImage {
  const files = members.map(({ file }) => file)
  const disk = new Disk(
    members.map(({ file, opened }) => ({ file, driver: opened.driver })),
    {
      writable,
      layers: members.map(({ file, format, opened }) => ({
        format: format.name,
        file: file.describe(),
        driver: opened.describe(),
      })),
      locks: RangeLock.allocate(),
      commits: Committer.allocate(),
    },
  )
  const drop = (): void => {
    for (const file of files.splice(0)) file.close()
  }
  return {
    disk,
    chain: members.map(describeMember),
    drop,
    close() {
      if (files.length === 0) return
      try {
        disk.finish()
      } finally {
        drop()
      }
    },
  }
}

export function describeMember({ file, format, opened }: Member): ChainMember {
  return {
    path: file.path,
    format: format.name,
    size: opened.driver.size,
    backingName: opened.backing?.name ?? null,
    backingFormat: opened.backing?.format ?? null,
    info: opened.info,
    allocated: file.allocated(),
    fileSize: file.size(),
  }
}
