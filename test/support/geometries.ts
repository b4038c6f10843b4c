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
