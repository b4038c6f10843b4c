import { ImageError } from '../../errors.js'
import { errno, SystemError } from '../../libc/errno.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { Resizing } from '../format.js'

/** The file is the disk: its file system makes the change one step, and what is new a hole. */
export const resizing: Resizing = {
  mustFit() {},

  resize(file: StorageFile, size: number): void {
    try {
      file.truncate(size)
    } catch (cause) {
      if (!(cause instanceof SystemError && cause.errno === errno.EINVAL)) throw cause
      throw new ImageError(
        'INVALID',
        `${file.path}: has a size that is not its own to change, as a device has; resize it with the tools of the device`,
        { cause },
      )
    }
    file.sync()
  },
}
