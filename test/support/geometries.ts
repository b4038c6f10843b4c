import type { ImageSpec } from './image-chain.js'

const KIB = 1024
const MIB = 1024 * KIB

/** Specs by their few numbers; sizes in bytes. */
export function rawSpec(size: number): ImageSpec {
  return { format: 'raw', size, unit: 4 * KIB }
}

export function qedSpec(
  size: number,
  clusterSize: number,
  tableSize: number,
  more: { backing?: ImageSpec; metadataCache?: number } = {},
): ImageSpec {
  const options = { cluster_size: `${clusterSize}`, table_size: `${tableSize}` }
  return { format: 'qed', size, options, unit: clusterSize, ...more }
}

export const RAW_GEOMETRIES: Record<string, ImageSpec> = {
  'a small disk': rawSpec(MIB),
  'an odd number of sectors': rawSpec(777 * 512),
  'one sector': rawSpec(512),
  'a disk of 3 TiB': rawSpec(3 * 1024 * 1024 * MIB),
}

export const QED_GEOMETRIES: Record<string, ImageSpec> = {
  '4 KiB clusters': qedSpec(MIB, 4 * KIB, 1),
  'many tables, cache of one': qedSpec(64 * MIB, 4 * KIB, 1, { metadataCache: 1 }),
  'odd size, tables of 2 clusters': qedSpec(32 * MIB + 3 * 512, 4 * KIB, 2, { metadataCache: 1 }),
  'one sector': qedSpec(512, 4 * KIB, 16),
  '64 KiB clusters': qedSpec(5 * MIB + 512, 64 * KIB, 4),
  '2 MiB clusters': qedSpec(21 * MIB + 512, 2 * MIB, 1),
  'a disk of 10 TiB': qedSpec(10 * 1024 * 1024 * MIB, 64 * KIB, 16),
}

/** Sizes around the image's: shorter, equal, longer, all odd multiples of the sector. */
export const QED_CHAINS: Record<string, ImageSpec> = {
  'a shorter raw base': qedSpec(400 * KIB, 4 * KIB, 1, { backing: rawSpec(133 * KIB + 512) }),
  'a raw base that ends within a sector': qedSpec(400 * KIB, 4 * KIB, 1, { backing: rawSpec(200_001) }),
  'an equal raw base': qedSpec(301 * KIB + 512, 4 * KIB, 1, { backing: rawSpec(301 * KIB + 512) }),
  'a longer raw base': qedSpec(301 * KIB + 512, 4 * KIB, 1, { backing: rawSpec(700 * KIB) }),
  '64 KiB clusters over a raw base': qedSpec(3 * MIB + 512, 64 * KIB, 2, {
    backing: rawSpec(2 * MIB + 1536),
  }),
  '2 MiB clusters over a raw base': qedSpec(9 * MIB + 512, 2 * MIB, 1, { backing: rawSpec(5 * MIB + 512) }),
  'a chain of 3, clusters of all sizes': qedSpec(MIB + 512, 4 * KIB, 1, {
    backing: qedSpec(900 * KIB, 64 * KIB, 1, { backing: rawSpec(650 * KIB + 512) }),
  }),
  'a chain of 3 that grows downwards': qedSpec(MIB, 64 * KIB, 1, {
    backing: qedSpec(2 * MIB, 4 * KIB, 2, { backing: rawSpec(3 * MIB) }),
  }),
  'a chain of 4, tiny cache': qedSpec(40 * MIB, 4 * KIB, 1, {
    metadataCache: 1,
    backing: qedSpec(39 * MIB + 512, 8 * KIB, 1, {
      backing: qedSpec(50 * MIB, 4 * KIB, 4, { backing: rawSpec(20 * MIB) }),
    }),
  }),
}

/** What the options of create say, in bytes; without a chunk size the image is flat. */
export interface FvdShape {
  readonly block?: number
  readonly chunk?: number
  readonly journal?: number
  readonly growUnit?: number
  readonly dataFile?: boolean
}

export function fvdSpec(size: number, shape: FvdShape, backing?: ImageSpec): ImageSpec {
  const { block, chunk, journal, growUnit, dataFile = false } = shape
  const options: Record<string, string> = {}
  if (chunk !== undefined) {
    options.compact_image = 'on'
    options.chunk_size = `${chunk}`
    options.storage_grow_unit = `${growUnit ?? 4 * chunk}`
  }
  if (backing !== undefined) options.block_size = `${block ?? 64 * KIB}`
  const hasMetadata = chunk !== undefined || backing !== undefined
  if (hasMetadata) options.journal_size = `${journal ?? 64 * KIB}`
  if (dataFile) options.data_file = 'data'
  return {
    format: 'fvd',
    size,
    options,
    unit: (backing === undefined ? chunk : block) ?? 64 * KIB,
    ...(backing && { backing }),
    ...(hasMetadata && journal === 0 && { mustRepairAfterCrash: true }),
  }
}

export const FVD_GEOMETRIES: Record<string, ImageSpec> = {
  flat: fvdSpec(MIB + 512, {}),
  'flat with a data file': fvdSpec(MIB, { dataFile: true }),
  'compact, 4 KiB chunks': fvdSpec(MIB, { chunk: 4 * KIB }),
  'compact, a journal of 8 sectors': fvdSpec(4 * MIB, {
    chunk: 4 * KIB,
    journal: 8 * KIB,
    growUnit: 12 * KIB,
  }),
  'compact, 28 KiB chunks, odd size': fvdSpec(5 * MIB + 3 * 512, { chunk: 28 * KIB }),
  'compact, 1 MiB chunks': fvdSpec(21 * MIB + 512, { chunk: MIB }),
  'compact with a data file': fvdSpec(3 * MIB + 512, { chunk: 64 * KIB, dataFile: true }),
  'compact without a journal': fvdSpec(MIB, { chunk: 12 * KIB, journal: 0 }),
  'compact, one sector': fvdSpec(512, { chunk: 4 * KIB }),
  'compact, a disk of 10 TiB': fvdSpec(10 * 1024 * 1024 * MIB, { chunk: 16 * MIB, journal: 4 * MIB }),
}

/** Blocks and chunks that do not divide each other, over bases that are shorter, equal and longer. */
export const FVD_CHAINS: Record<string, ImageSpec> = {
  'flat, 512 B blocks': fvdSpec(400 * KIB, { block: 512 }, rawSpec(133 * KIB + 512)),
  'flat, 7680 B blocks, a base that ends within a sector': fvdSpec(
    400 * KIB,
    { block: 7680 },
    rawSpec(200_001),
  ),
  'flat without a journal': fvdSpec(MIB, { block: 4 * KIB, journal: 0 }, rawSpec(700 * KIB)),
  'flat with a data file, a longer base': fvdSpec(MIB, { block: 64 * KIB, dataFile: true }, rawSpec(2 * MIB)),
  'blocks of 512 B in chunks of 4 KiB': fvdSpec(
    300 * KIB + 512,
    { block: 512, chunk: 4 * KIB },
    rawSpec(300 * KIB + 512),
  ),
  'blocks of 7680 B in chunks of 64 KiB': fvdSpec(
    3 * MIB,
    { block: 7680, chunk: 64 * KIB },
    rawSpec(2 * MIB + 512),
  ),
  'blocks of 64 KiB across chunks of 4 KiB': fvdSpec(
    2 * MIB,
    { block: 64 * KIB, chunk: 4 * KIB },
    rawSpec(MIB + 1536),
  ),
  'blocks of 1 MiB, too many chunks for a sector': fvdSpec(
    9 * MIB + 512,
    { block: MIB, chunk: 4 * KIB, journal: 16 * KIB },
    rawSpec(5 * MIB + 512),
  ),
  'blocks of 65024 B across chunks of 20 KiB, no journal': fvdSpec(
    2 * MIB,
    { block: 65024, chunk: 20 * KIB, journal: 0 },
    rawSpec(MIB),
  ),
  'data file, blocks of 15872 B, chunks of 36 KiB': fvdSpec(
    2 * MIB + 512,
    { block: 15872, chunk: 36 * KIB, dataFile: true },
    rawSpec(3 * MIB),
  ),
  'over QED': fvdSpec(2 * MIB, { block: 512, chunk: 64 * KIB }, qedSpec(MIB + 512, 4 * KIB, 1)),
  'a chain of 3: FVD over FVD over raw': fvdSpec(
    MIB + 512,
    { block: 4 * KIB, chunk: 64 * KIB },
    fvdSpec(900 * KIB, { block: 7680, chunk: 8 * KIB }, rawSpec(650 * KIB + 512)),
  ),
}

const MATRIX_BLOCKS = [512, 7680, 1024, 15872, 65536, 65024, 1048576, 1048064]
const MATRIX_CHUNKS = [1, 2, 3, 5, 7, 9, 12, 16, 33, 99]

/** Every block size against every chunk size of the reference's own random tester, base or not, data file or not. */
export function* fvdMatrix(): Generator<ImageSpec> {
  const bases = [undefined, rawSpec(MIB), rawSpec(2 * MIB + 512), rawSpec(3 * MIB + 77)]
  let turn = 0
  for (const dataFile of [false, true]) {
    for (const block of MATRIX_BLOCKS) {
      for (const chunk of [undefined, ...MATRIX_CHUNKS.map(pages => pages * 4 * KIB)]) {
        const base = bases[turn++ % bases.length]
        yield fvdSpec(
          2 * MIB + 512,
          { block, chunk, dataFile, journal: turn % 3 === 0 ? 8 * KIB : 64 * KIB },
          base,
        )
      }
    }
  }
}
