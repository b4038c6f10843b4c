import type { FormatDriver } from '../formats/driver.js'
import type { StorageFile } from '../storage/storage-file.js'

/** One image of a chain, as a thread sees it. Layer 0 is the image itself, the last the base of all. */
export interface Layer {
  readonly driver: FormatDriver
  readonly file: StorageFile
  /** Has the data of the image, when its own file has not. */
  readonly companion: StorageFile | null
}
