import type { BaseContents, CreateOptions, Measured } from '../format.js'
import { touchedUnits } from '../touched.js'
import { planImage } from './create.js'

/** Bytes of an entry in a table. */
const ENTRY = 8

/** The header, the L1 table, an L2 table for each stretch that has data, and the clusters. @see Format.measure */
export function measure(path: string, options: CreateOptions, data: BaseContents): Measured {
  const { clusterSize, tableSize } = planImage({ path }, options)
  const table = tableSize * clusterSize
  const span = (table / ENTRY) * clusterSize
  const room = (tables: number, clusters: number) =>
    clusterSize + table + tables * table + clusters * clusterSize
  return {
    required: room(touchedUnits(data, span), touchedUnits(data, clusterSize)),
    fullyAllocated: room(Math.ceil(options.size / span), Math.ceil(options.size / clusterSize)),
  }
}
