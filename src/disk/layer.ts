import type { FormatDriver } from '../formats/driver.js'
import { formatByName } from '../formats/registry.js'
import type { FileDescription, StorageFile } from '../storage/storage-file.js'
import { SystemFile } from '../storage/system-file.js'

/** One image of a chain, as a thread sees it. Layer 0 is the image itself, the last the base of all. */
export interface Layer {
  readonly driver: FormatDriver
  readonly file: StorageFile
}

/** A layer as a plain object, to be posted to another thread. */
export interface LayerDescription {
  readonly format: string
  readonly file: FileDescription
  readonly driver: unknown
}

export function attachLayer(description: LayerDescription): Layer {
  const file = new SystemFile(description.file)
  return { file, driver: formatByName(description.format).attach(description.driver, file) }
}
