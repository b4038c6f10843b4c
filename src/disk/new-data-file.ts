import { ImageError } from '../errors.js'
import type { BackingReference } from '../formats/format.js'
import { SystemError } from '../libc/errno.js'
import type { FileKind, StorageFile, StorageHost } from '../storage/storage-file.js'
import { Chain, type ChainContext } from './chain.js'
import { type Companion, PlainCompanion } from './companion.js'
import { createFile } from './create-file.js'
import { resolveBacking } from './gate.js'
import { otherUsers } from './other-users.js'

/**
 * The data file of an image that is being made: a new raw file, an empty one of no other image, or with `overwrite` one
 * whose contents are given up; or an image, which must be there.
 */
export class NewDataFile {
  private made: string | null = null
  private companion: Companion | null = null

  /** `image`: the path of the image, which the context's gate knows. */
  constructor(
    private readonly image: string,
    private readonly context: ChainContext,
    private readonly overwrite: boolean,
  ) {}

  /** For CreateOptions.companion. Throws ImageError. */
  readonly open = (reference: BackingReference): StorageFile => {
    const path = resolveBacking(reference.name, this.image)
    const kind = path === null ? null : this.kindOf(path)
    if (path !== null && kind === null) return this.make(path, reference)
    const companion = new Chain(this.context, true, 1).openCompanion(reference, this.image, true)
    this.companion = companion
    if (!this.overwrite && hasContents(companion)) {
      throw new ImageError(
        'REFUSED',
        `${this.image}: the data file ${companion.file.path} is not empty; give up what it has with --force, or name another`,
      )
    }
    if (!this.overwrite)
      mustBeFree(this.image, companion.file.path, this.context.host, 'give it up there with --force')
    companion.beginWriting()
    const { file } = companion
    if (companion instanceof PlainCompanion && kind === 'regular') file.truncate(0)
    return file
  }

  /** Closes the file; one that was made for an image that was not, is removed. */
  close(keep: boolean): void {
    const { companion, context, made } = this
    try {
      companion?.finish()
    } finally {
      companion?.drop()
      if (!keep && made !== null) context.host.remove(made)
    }
  }

  private make(path: string, { format }: BackingReference): StorageFile {
    if (format !== null && format !== 'raw') {
      throw new ImageError(
        'NOT_FOUND',
        `${this.image}: the data file ${path} does not exist; make it first, with "rawmount create -f ${format}"`,
      )
    }
    const { host } = this.context
    const file = createFile(path, false, host)
    this.made = path
    this.companion = new PlainCompanion(file)
    host.lock(file)
    return file
  }

  private kindOf(path: string): FileKind | null {
    try {
      return this.context.host.inspect(path).kind
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOENT') return null
      if (error instanceof SystemError && error.code === 'ELOOP') return 'other' // the gate says so
      throw error
    }
  }
}

/**
 * The data file of one image is not that of another, which would lose what it has; nor a base. Throws ImageError, as far as
 * others lie beside the two.
 */
export function mustBeFree(image: string, data: string, host: StorageHost, otherwise?: string): void {
  const [user] = otherUsers(image, [data], { host })
  if (user === undefined) return
  const next = otherwise === undefined ? 'name another' : `name another, or ${otherwise}`
  throw new ImageError(
    'REFUSED',
    `${image}: the data file ${data} is the ${user.as} of ${user.image}; ${next}`,
  )
}

/** Of an image: anything that is not known to be zeros. */
function hasContents(companion: Companion): boolean {
  const { file } = companion
  const size = file.size()
  return size > 0 && (companion instanceof PlainCompanion || file.stretch(0, true) < size)
}
