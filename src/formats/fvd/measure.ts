import { roundUp } from '../../bytes.js'
import type { BaseContents, CreateOptions, Measured } from '../format.js'
import { touchedUnits } from '../touched.js'
import { planImage } from './plan.js'

/** A flat image is as long as the disk, behind its metadata; a compact one has the chunks with data. @see Format.measure */
export function measure(path: string, options: CreateOptions, data: BaseContents): Measured {
  const {
    metadata_size: metadata,
    chunk_size: chunk,
    storage_grow_unit: unit,
  } = planImage(path, options).header
  if (chunk === 0) return { required: metadata + options.size, fullyAllocated: metadata + options.size }
  const room = (chunks: number) => metadata + roundUp(chunks * chunk, unit)
  return {
    required: room(touchedUnits(data, chunk)),
    fullyAllocated: room(Math.ceil(options.size / chunk)),
  }
}
