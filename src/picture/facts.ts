import type { Cells } from '../disk/cells.js'

/** All that a picture of a disk shows. */
export interface PictureFacts {
  /** The name of the image. */
  readonly title: string
  readonly format: string
  readonly cells: Cells
  /** The images, from the first to the base of all. */
  readonly chain: readonly PictureImage[]
  /** How the image's own file is used; null where that cannot be told. */
  readonly storage: StorageFacts | null
  /** What the user must know, a line each. */
  readonly notes: readonly string[]
}

export interface PictureImage {
  readonly name: string
  readonly format: string
  /** Of its disk, bytes. */
  readonly size: number
  readonly fileSize: number
  /** Bytes of storage that the file occupies. */
  readonly allocated: number
}

/** Bytes of an image's file. */
export interface StorageFacts {
  readonly data: number
  /** Storage that no entry names. */
  readonly leaked: number
  /** Header, tables, and what is kept free. */
  readonly rest: number
}

/** A kind of cells as the legend names it. */
export interface Region {
  readonly kind: number
  /** CSS class that has its colour. */
  readonly style: string
  readonly label: string
  readonly bytes: number
}

/** Data of the image itself and of those below, zeros, and the rest; only what there is some of. */
export function regionsOf({ cells, chain }: PictureFacts): Region[] {
  const data = chain.map(({ name }, depth) => {
    const label = `data in ${name}${depth === 0 ? '' : depth === 1 ? ' (backing file)' : ` (${depth} below)`}`
    return { kind: depth, style: depthStyle(depth), label }
  })
  return [
    ...data,
    { kind: cells.zero, style: 'z', label: 'zeros' },
    { kind: cells.unallocated, style: 'u', label: 'never written, reads as zeros' },
  ].flatMap(region => {
    const bytes = cells.total(region.kind)
    return bytes === 0 ? [] : [{ ...region, bytes }]
  })
}

/** Deep chains use the colours of the bases again. */
function depthStyle(depth: number): string {
  return depth === 0 ? 'd0' : `d${((depth - 1) % BASE_COLORS) + 1}`
}

const BASE_COLORS = 4

/** "12.3 %": never 0 for something, never 100 for less than all. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return ''
  const share = (part * 100) / whole
  if (part > 0 && share < 0.1) return '< 0.1 %'
  if (part < whole && share > 99.9) return '> 99.9 %'
  return `${share.toFixed(1)} %`
}
