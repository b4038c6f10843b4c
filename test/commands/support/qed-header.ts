import { open, readFile, writeFile } from 'node:fs/promises'

/** Fields of the QED header: where they lie, and how many bytes they have. */
export const FIELDS = {
  cluster_size: [4, 4],
  table_size: [8, 4],
  header_size: [12, 4],
  features: [16, 8],
  l1_table_offset: [40, 8],
  image_size: [48, 8],
  backing_filename_offset: [56, 4],
  backing_filename_size: [60, 4],
} as const
export type Field = keyof typeof FIELDS

/** Writes header fields into an image as they are, sensible or not. */
export async function setFields(
  image: string,
  fields: Partial<Record<Field, number | bigint>>,
): Promise<void> {
  const file = await open(image, 'r+')
  try {
    for (const [name, value] of Object.entries(fields)) {
      const [offset, length] = FIELDS[name as Field]
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt(value))
      await file.write(bytes, 0, length, offset)
    }
  } finally {
    await file.close()
  }
}

/** Gives the image a backing file by bytes, unchecked. */
export async function setBackingName(image: string, name: string | Buffer): Promise<void> {
  const bytes = Buffer.from(name)
  const content = await readFile(image)
  bytes.copy(content, 64)
  await writeFile(image, content)
  await setFields(image, { features: 1, backing_filename_offset: 64, backing_filename_size: bytes.length })
}
