import type { ImageFacts, InspectedImage } from '../formats/format.js'
import type { ProfileStore } from '../formats/profile.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { Chain, type Member } from './chain.js'
import { type CopyPlan, type CopyRequest, copies, planCopying } from './copying.js'
import type { Disk } from './disk.js'
import { BACKING_POLICIES, type BackingPolicy, OpenGate } from './gate.js'
import { formatOfNamed } from './probe.js'
import { mayBeBehind, writeBaseOf, writeBaseWarning } from './write-base.js'

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
  /** The image is an overlay that was put on its backing file just so: what `backing` says begins behind that. */
  isOverlay?: boolean
  /** Opens without looking whether another program writes the image; what is read may then be inconsistent. */
  forceShare?: boolean
  /** Runs the shell command that an FVD header may name when the storage is full: a stranger's words. Default false. */
  allowStorageCommand?: boolean
  /** What is to be copied from the base, and when; default: nothing. Only with `writable`. */
  copying?: CopyRequest | null
  /** Where the files are; default: this machine. */
  host?: StorageHost
}

const DEFAULTS: Required<OpenImageOptions> = {
  writable: false,
  format: null,
  metadataCache: 32 << 20,
  backing: 'follow',
  allowDevices: false,
  isOverlay: false,
  forceShare: false,
  allowStorageCommand: false,
  copying: null,
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
  /** The open file that has the data, when the image's own has not. */
  readonly dataFile: string | null
  readonly info: ImageFacts
  /** Bytes of storage that the file and its data file occupy, and the length of the file. */
  readonly allocated: number
  readonly fileSize: number
}

export interface OpenImage {
  readonly disk: Disk
  /** The image, its backing file, and so on. */
  readonly chain: readonly ChainMember[]
  /** What the user must know, one line each: images that show less than they should. */
  readonly warnings: readonly string[]
  /** What is copied from the base; null where there is no base, or nothing was asked for. */
  readonly copying: CopyPlan | null
  /** The image's place for a profile of its base; null where there is none. */
  readonly profile: ProfileStore | null
  /** The bases are not needed any more: they may be deleted while the image is open. */
  letGoOfBases(): void
  /** Flushes, marks the image as cleanly closed, and closes every file; those even when it throws. */
  close(): void
  /** Closes every file and writes nothing, as if the process had ended. */
  drop(): void
}

/**
 * Opens an image with its chain of backing files. An open that fails leaves every file as it was, closed and
 * unlocked. Throws ImageError; TypeError for an option that does not exist.
 */
export function openImage(path: string, options: OpenImageOptions = {}): OpenImage {
  const settings = validate(options)
  const { host, writable, format } = settings
  const overlay = settings.isOverlay ? path : null
  const gate = new OpenGate(host, settings.backing, settings.allowDevices, overlay)
  const chain = new Chain({ ...settings, gate }, writable)
  try {
    const file = gate.openNamed(path, writable)
    chain.open(
      file,
      () => formatOfNamed(file, format),
      top => (writable ? writeBaseOf(path, top, settings.copying) : 'no'),
    )
    const behind = mayBeBehind(chain.members[0]!.opened, settings.copying)
    if (writable) {
      planned(chain, settings.copying) // what it refuses is refused before anything is changed
      chain.beginWriting()
    }
    const plan = planned(chain, settings.copying)
    const disk = chain.disk(writable, plan && copies(plan.settings) ? plan.settings : null)
    if (behind) disk.baseWriter?.compare()
    return new OpenChain(chain, disk, plan)
  } catch (error) {
    chain.drop()
    throw error
  }
}

function planned({ members }: Chain, request: CopyRequest | null): CopyPlan | null {
  const [top, base] = members
  if (request === null || base === undefined) return null
  return planCopying(top!.file.path, top!.opened, request)
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
  if (settings.copying !== null && !settings.writable)
    throw new TypeError('openImage: copying is for images that are written')
  return settings
}

class OpenChain implements OpenImage {
  readonly chain: readonly ChainMember[]
  readonly warnings: readonly string[]
  readonly profile: ProfileStore | null
  private isOpen = true

  constructor(
    private readonly opened: Chain,
    readonly disk: Disk,
    readonly copying: CopyPlan | null,
  ) {
    this.chain = opened.members.map(describeMember)
    this.profile = opened.members[0]!.opened.profile ?? null
    const { file, opened: top } = opened.members[0]!
    const warning = disk.writable && writeBaseWarning(file.path, top, copying?.settings.writeBase ?? 'no')
    this.warnings = [
      ...opened.members.flatMap(member => member.opened.warnings ?? []),
      ...(warning ? [warning] : []),
    ]
  }

  letGoOfBases(): void {
    this.opened.letGoOfBases()
  }

  close(): void {
    if (!this.isOpen) return
    try {
      this.disk.finish()
      this.opened.finish()
    } finally {
      this.drop()
    }
  }

  drop(): void {
    this.isOpen = false
    this.opened.drop()
  }
}

function describeMember({ file, format, opened, companion }: Member): ChainMember {
  const { driver, backing, info } = opened
  const facts = describeImage(file, format.name, { size: driver.size, backing, info })
  if (companion === null) return facts
  const { path } = companion.file
  return { ...facts, dataFile: path, allocated: facts.allocated + companion.file.allocated() }
}

export function describeImage(file: StorageFile, format: string, image: InspectedImage): ChainMember {
  const { size, backing, info } = image
  return {
    path: file.path,
    format,
    size,
    backingName: backing?.name ?? null,
    backingFormat: backing?.format ?? null,
    dataFile: null,
    info,
    allocated: file.allocated(),
    fileSize: file.size(),
  }
}
