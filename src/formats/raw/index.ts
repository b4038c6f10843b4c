import type { StorageFile } from '../../storage/storage-file.js'
import type { CreateOptions, Format, Measured, OpenedImage } from '../format.js'
import { RawDriver } from './driver.js'
import { resizing } from './resize.js'

/** A plain disk: the file is the disk. It has no magic, so it is opened only when someone says it is raw. */
export const raw = {
  name: 'raw',
  createOptions: {},

  probe: () => false,

  open(file: StorageFile): OpenedImage {
    const driver = new RawDriver(file, file.size())
    return { driver, backing: null, describe: () => driver.size, info: { dirty: false, specific: {} } }
  },

  attach(description: unknown, file: StorageFile) {
    return new RawDriver(file, description as number)
  },

  create(file: StorageFile, { size }: Pick<CreateOptions, 'size'>): void {
    file.truncate(0)
    file.truncate(size)
  },

  resizing,

  /** The file is as long as the disk, whatever of it are holes. */
  measure(_path: string, { size }: Pick<CreateOptions, 'size'>): Measured {
    return { required: size, fullyAllocated: size }
  },
} satisfies Format
