import { open } from 'node:fs/promises'

const FEATURES_OFFSET = 16
const NEED_CHECK = 0x02

/** Whether a QED image is marked as not cleanly closed, read from the file itself. */
export async function needsCheck(image: string): Promise<boolean> {
  const file = await open(image, 'r')
  try {
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, FEATURES_OFFSET)
    return (buffer.readUInt32LE(0) & NEED_CHECK) !== 0
  } finally {
    await file.close()
  }
}
