import { DiskContents } from '../disk/base-contents.js'
import { creatable, sizeFor } from '../disk/create.js'
import type { OpenImage } from '../disk/open.js'
import type { BaseContents, Measured } from '../formats/format.js'

export interface MeasureOptions {
  /** The format of the new image. */
  readonly format: string
  /** Options of that format, as for createImage(). */
  readonly options?: ReadonlyMap<string, string>
}

/**
 * How much room convertImage() takes for a disk, or createImage() for an empty one of so many bytes: by metadata alone, so
 * that data that is zeros counts. Throws ImageError.
 */
export function measureImage(
  source: OpenImage | number,
  { format: name, options = new Map() }: MeasureOptions,
): Measured {
  const what = `a new ${name} image`
  const format = creatable(what, name, options)
  const data = typeof source === 'number' ? empty(source) : new DiskContents(source.disk)
  const size = sizeFor(what, format, data.size)
  const companion = () => {
    throw new TypeError('nothing is made')
  }
  return format.measure!(what, { size, backing: null, base: null, options, companion }, data)
}

function empty(size: number): BaseContents {
  return { size, zerosUntil: () => size, dataUntil: offset => offset }
}
