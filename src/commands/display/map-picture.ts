import { Cells, countCells } from '../../disk/cells.js'
import type { CheckedImage } from '../../disk/check.js'
import type { OpenImage } from '../../disk/open.js'
import type { PictureFacts, StorageFacts } from '../../picture/facts.js'

/** Cells of a picture at most. */
const LIMIT = 4096

/** Of formats that do not say in what they allocate; bytes. */
const UNIT = 64 * 1024

/** What a picture of the image shows; walks through all of its metadata. `names`: of the chain, as the user is told them. */
export function pictureFacts(
  image: OpenImage,
  names: readonly string[],
  { report }: CheckedImage,
): PictureFacts {
  const { disk, chain } = image
  const [top] = chain
  const cells = new Cells(disk.size, chain.length, unitOf(disk.size, top!.info.clusterSize), LIMIT)
  countCells(disk, cells)
  const notes = [...image.warnings]
  if (report !== null && report.corruptions > 0)
    notes.push(`The check finds ${report.corruptions} error(s): see 'rawmount check'.`)
  return {
    title: names[0]!,
    format: top!.format,
    cells,
    chain: chain.map(({ format, size, fileSize, allocated }, depth) => ({
      name: names[depth]!,
      format,
      size,
      fileSize,
      allocated,
    })),
    storage: storageFacts(image, report, cells.total(0)),
    notes,
  }
}

/** Cells of small disks are what their format allocates in, but not smaller than sectors. */
function unitOf(size: number, clusterSize: number | undefined): number {
  if (clusterSize !== undefined) return clusterSize
  return size > UNIT * 64 ? UNIT : 4096
}

function storageFacts(
  { chain: [top] }: OpenImage,
  report: CheckedImage['report'],
  data: number,
): StorageFacts | null {
  const { fileSize, dataFile, info } = top!
  if (report === null || dataFile !== null) return null
  const leaked = report.leaks * (info.clusterSize ?? 0)
  return { data, leaked, rest: Math.max(0, fileSize - data - leaked) }
}
