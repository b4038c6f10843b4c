/**
 * The library, without a mount: makes an image, writes and reads it, and lists its extents.
 *
 *   npm run build && node dist/examples/api.js
 *
 * The same lines work in a project of your own, after `npm install rawmount`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createImage, Extent, ImageError, IoBuffer, openImage } from 'rawmount'

const directory = mkdtempSync(join(tmpdir(), 'rawmount-api-'))
const path = join(directory, 'disk.qed')

try {
  createImage(path, { format: 'qed', size: 1 << 30, options: new Map([['cluster_size', '64K']]) })

  const image = openImage(path, { writable: true })
  const { disk } = image
  try {
    // Memory that the library reads and writes by address: made once, used for every call.
    const buffer = new IoBuffer(1 << 20)
    buffer.bytes.set(new TextEncoder().encode('hello, disk'))
    disk.write(512 * 2048, 11, buffer, 0)
    disk.zero(10 << 20, 1 << 20)
    // Seen by every later read at once; durable from here on.
    disk.flush()

    buffer.bytes.fill(0)
    disk.read(512 * 2048, 11, buffer, 0)
    console.log(new TextDecoder().decode(buffer.bytes.slice(0, 11)))

    const extent = new Extent()
    for (let offset = 0; offset < disk.size; offset += extent.length) {
      disk.nextExtent(offset, disk.size - offset, extent)
      const what = extent.data
        ? `data at ${extent.fileOffset} of the file`
        : extent.present
          ? 'zeros'
          : 'nothing'
      console.log(`${extent.offset} + ${extent.length}: ${what}`)
    }
  } finally {
    image.close()
  }

  // Whatever is wrong with an image is an ImageError: a code, an errno, and a line that says what to do.
  openImage(join(directory, 'missing.qed'))
} catch (error) {
  if (!(error instanceof ImageError)) throw error
  console.log(`${error.code}: ${error.message}`)
} finally {
  rmSync(directory, { recursive: true })
}
