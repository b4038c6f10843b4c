import { constants, openSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { ImageError } from '../errors.js'
import { errno, SystemError } from '../libc/errno.js'
import type { FileFacts, StorageFile, StorageHost } from '../storage/storage-file.js'
import { SystemFile } from '../storage/system-file.js'
import { systemHost } from '../storage/system-host.js'
import { NewFile } from './new-file.js'

/**
 * This machine's files, and beside them those that are being made: they are found by their names to come, which nobody else
 * sees before publish(). An image and its data file are made in this way, one after the other.
 */
export class NewFiles implements StorageHost {
  private readonly made = new Map<string, NewFile>()

  /**
   * `replaced`: the one file that may exist, and will be replaced; where a symbolic link leads. `writesOthers`: files that
   * exist may be written beside it, before the new ones are complete.
   */
  constructor(
    private readonly replaced: string | null,
    private readonly writesOthers = false,
  ) {}

  inspect(path: string): FileFacts {
    return systemHost.inspect(this.find(path)?.handle ?? path)
  }

  open(path: string, writable: boolean): StorageFile {
    const file = this.find(path)
    if (file !== null) {
      const fd = openSync(file.handle, writable ? constants.O_RDWR : constants.O_RDONLY)
      return new SystemFile({ path, writable, fd })
    }
    if (writable && !this.writesOthers && systemHost.inspect(path).kind === 'regular') {
      throw new ImageError(
        'REFUSED',
        `${path}: exists already, and would be written before the new image is complete; remove it, or name another`,
      )
    }
    return systemHost.open(path, writable)
  }

  create(path: string): StorageFile {
    const old = statSync(path, { throwIfNoEntry: false })
    const place = old === undefined ? resolve(path) : realpathSync(path)
    if (old !== undefined && place !== this.replaced) throw new SystemError(errno.EEXIST, 'open', path)
    const file = new NewFile(place)
    this.made.set(resolve(path), file)
    if (old !== undefined) file.resemble(old)
    return this.open(path, true)
  }

  remove(path: string): void {
    this.find(path)?.discard()
    this.made.delete(resolve(path))
  }

  lock(file: StorageFile): void {
    systemHost.lock(file)
  }

  /** All files get their names, the image as the last: who finds it finds its data. Throws SystemError, and then none has. */
  publish(): void {
    const published: NewFile[] = []
    try {
      for (const file of [...this.made.values()].reverse()) {
        file.publish(file.path === this.replaced)
        published.push(file)
      }
    } catch (error) {
      for (const file of published) file.withdraw()
      throw error
    }
    this.made.clear()
  }

  discard(): void {
    for (const file of this.made.values()) file.discard()
    this.made.clear()
  }

  private find(path: string): NewFile | null {
    return this.made.get(resolve(path)) ?? null
  }
}
