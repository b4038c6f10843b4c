import { realpathSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { ImageError } from '../errors.js'
import { SystemError } from '../libc/errno.js'
import { directoryOf, hideCredentials, isUrl, resolveAtUrl } from '../storage/http/url.js'
import type { FileFacts, StorageFile, StorageHost } from '../storage/storage-file.js'

/** Which files a header may lead to. */
export type BackingPolicy = 'follow' | 'same-dir' | 'deny'

export const BACKING_POLICIES: readonly BackingPolicy[] = ['follow', 'same-dir', 'deny']

/** How many images a chain may have. */
export const DEPTH_LIMIT = 10

/** What a file is to the image that names it, and how another one is named. */
interface Role {
  readonly what: string
  readonly change: string
}

const BACKING_FILE: Role = { what: 'backing file', change: 'rebase the image onto another file' }
const DATA_FILE: Role = {
  what: 'data file',
  change: 'name another with "rawmount update IMAGE data_file=NAME"',
}

/**
 * The open gate: every file of a chain is opened here, the one the user names and those that headers name. An image
 * is input from a stranger: its header must not lead to a device, hang the open on a FIFO, go round in a circle, or,
 * by policy, leave its directory.
 */
export class OpenGate {
  private readonly opened = new Map<string, string>()
  /** The URLs by their printable form, which is the path of a file that lies there. */
  private readonly urls = new Map<string, string>()

  constructor(
    private readonly host: StorageHost,
    private readonly policy: BackingPolicy,
    private readonly allowDevices: boolean,
    /** An image whose backing file the user named himself: that one link is no stranger's. */
    private readonly overlay: string | null = null,
  ) {}

  /** The file that the user named: a regular file or, as the user can see what it is, a block device. */
  openNamed(path: string, writable: boolean): StorageFile {
    const shown = hideCredentials(path)
    const facts = this.inspect(path, `${shown}: `)
    if (facts.kind === 'other')
      throw new ImageError('REFUSED', `${shown}: is ${facts.description}, not a disk image`)
    this.opened.set(facts.identity, shown)
    return this.open(path, writable, `${shown}: `)
  }

  /** The backing file `name` of the image at `imagePath`; `remaining` images may still follow. */
  openBacking(
    name: string,
    imagePath: string,
    remaining: number,
    writable = false,
  ): { file: StorageFile; path: string } {
    return this.follow(BACKING_FILE, name, imagePath, writable, remaining)
  }

  /** The file `name` that has the data of the image at `imagePath`. */
  openData(name: string, imagePath: string, writable: boolean, remaining: number): StorageFile {
    return this.follow(DATA_FILE, name, imagePath, writable, remaining).file
  }

  private follow(
    role: Role,
    name: string,
    imagePath: string,
    writable: boolean,
    remaining: number,
  ): { file: StorageFile; path: string } {
    const { what, change } = role
    const who = `${imagePath}: ${what} '${printable(name)}' `
    const isAsked = role === BACKING_FILE && imagePath === this.overlay
    if (this.policy === 'deny' && !isAsked) {
      throw new ImageError(
        'REFUSED',
        `${who}is not opened, as --backing=deny asks; allow it with --backing=follow`,
      )
    }
    const imageUrl = this.urls.get(imagePath)
    const path = resolveBacking(name, imageUrl ?? imagePath)
    if (path === null && imageUrl !== undefined) {
      throw new ImageError(
        'REFUSED',
        `${who}is no URL and does not lie beside the image, and an image on a web server may not lead elsewhere; ${change}`,
      )
    }
    if (path === null) {
      throw new ImageError(
        'REFUSED',
        `${who}is not the name of a file, and only files can be opened, here or on a web server; ${change}`,
      )
    }
    const facts = this.inspect(path, who)
    if (facts.kind === 'other' || (facts.kind === 'block' && !this.allowDevices && !isAsked)) {
      throw new ImageError(
        'REFUSED',
        `${who}is ${facts.description}, not a regular file; an image may not lead there${facts.kind === 'block' ? ' without --allow-devices' : ''}`,
      )
    }
    const earlier = this.opened.get(facts.identity)
    if (earlier !== undefined) {
      throw new ImageError('REFUSED', `${who}leads back to ${earlier}: the chain is a circle; ${change}`)
    }
    if (remaining <= 0) {
      throw new ImageError(
        'REFUSED',
        `${who}would be image ${DEPTH_LIMIT + 1} of the chain, the limit is ${DEPTH_LIMIT}; shorten it with "rawmount rebase" of an image further down`,
      )
    }
    const mustBeBeside = this.policy === 'same-dir' && !isAsked
    if (mustBeBeside && directory(path) !== directory(imageUrl ?? imagePath)) {
      throw new ImageError(
        'REFUSED',
        `${who}lies in another directory, as --backing=same-dir forbids; allow it with --backing=follow`,
      )
    }
    this.opened.set(facts.identity, hideCredentials(path))
    return { path, file: this.open(path, writable, who) }
  }

  private inspect(path: string, who: string): FileFacts {
    return explained(who, () => this.host.inspect(path))
  }

  private open(path: string, writable: boolean, who: string): StorageFile {
    const file = explained(
      who,
      () => this.host.open(path, writable),
      () => writable && this.isReadable(path),
    )
    if (isUrl(path)) this.urls.set(file.path, path)
    return file
  }

  private isReadable(path: string): boolean {
    try {
      this.host.open(path, false).close()
      return true
    } catch {
      return false
    }
  }
}

/**
 * Where a backing name leads: relative names start at the image's directory. Null for a QEMU pseudo-name, and for what an
 * image on a web server may not name.
 */
export function resolveBacking(name: string, imagePath: string): string | null {
  if (isUrl(imagePath)) return resolveAtUrl(name, imagePath)
  if (isUrl(name)) return name
  const path = name.startsWith('file:') ? name.slice('file:'.length) : name
  if (/^[a-z][a-z0-9+.-]*:/i.test(path)) return null
  return isAbsolute(path) ? path : resolve(dirname(imagePath), path)
}

/**
 * The files that a backing name may mean, also to QEMU: a json: name has them inside, relative to the directory in which QEMU
 * is started, which nobody knows.
 */
export function namedPaths(name: string, imagePath: string): string[] {
  if (!name.startsWith('json:')) return [resolveBacking(name, imagePath)].filter(path => path !== null)
  const places = [imagePath, resolve('here')]
  return fileNamesIn(parsed(name.slice('json:'.length)))
    .flatMap(inside => places.map(place => resolveBacking(inside, place)))
    .filter(path => path !== null)
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

/** Values of "filename" or "file.filename", at any depth. */
function fileNamesIn(options: unknown): string[] {
  if (typeof options !== 'object' || options === null) return []
  return Object.entries(options).flatMap(([key, value]) => {
    if (typeof value !== 'string') return fileNamesIn(value)
    return /(^|\.)filename$/.test(key) ? [value] : []
  })
}

/** A name from a header, fit for one line on a terminal. */
export function printable(name: string): string {
  const clean = hideCredentials(name).replace(/[\p{C}]/gu, '?')
  return clean.length > 200 ? `${clean.slice(0, 200)}…` : clean
}

function directory(path: string): string {
  return isUrl(path) ? directoryOf(path) : dirname(realpathSync(path))
}

/** `isReadable`: whether it would do to open it for reading. */
function explained<T>(who: string, call: () => T, isReadable: () => boolean = () => false): T {
  try {
    return call()
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    const { errno } = error
    const options = { errno, cause: error }
    switch (error.code) {
      case 'ENOENT':
      case 'ENOTDIR':
        throw new ImageError('NOT_FOUND', `${who}does not exist; check the name`, options)
      case 'ELOOP':
        throw new ImageError('NOT_FOUND', `${who}goes round in symbolic links; check the name`, options)
      case 'EACCES':
      case 'EPERM':
        throw new ImageError(
          'REFUSED',
          `${who}cannot be opened: permission denied; run as a user who may${isReadable() ? ', or mount with -r' : ''}`,
          options,
        )
      case 'EROFS':
        throw new ImageError('READ_ONLY', `${who}lies on a read-only file system; mount with -r`, options)
      case 'ENAMETOOLONG':
        throw new ImageError('INVALID', `${who}has too long a name`, options)
      default:
        throw new ImageError('IO', `${who}cannot be opened: ${error.message}`, options)
    }
  }
}
