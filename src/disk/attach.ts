import { formatByName } from '../formats/registry.js'
import { attachFile } from '../storage/attach-file.js'
import type { StorageFile } from '../storage/storage-file.js'
import type { CompanionDescription, DiskDescription, LayerDescription } from './descriptions.js'
import { Disk } from './disk.js'
import { ImageFile } from './image-file.js'
import type { Layer } from './layer.js'

/** The disk in another thread. What it opens belongs to the process: only the opener closes it. */
export function attachDisk(description: DiskDescription): Disk {
  return new Disk(description.layers.map(attachLayer), description)
}

function attachLayer(description: LayerDescription): Layer {
  const file = attachFile(description.file)
  const companion = description.companion && attachCompanion(description.companion)
  const driver = formatByName(description.format).attach(description.driver, file, companion)
  return { file, companion, driver }
}

function attachCompanion(description: CompanionDescription): StorageFile {
  if (description.kind === 'file') return attachFile(description.file)
  return new ImageFile(attachDisk(description.disk), description.path)
}
