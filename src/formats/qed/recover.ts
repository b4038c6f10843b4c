import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { tracer } from '../../trace.js'
import { scan } from './check.js'
import { clearAutoclear, type QedHeader, writeNeedCheck } from './header.js'

const log = tracer('qed')

/**
 * What must happen before an image is opened for writing: an image that was not closed cleanly is checked, and
 * invalid entries are set to zero, as QEMU does; autoclear bits that nobody knows are cleared. All of it is
 * durable on return. Looks before it writes: when it refuses, nothing was changed.
 */
export function recover(file: StorageFile, header: QedHeader): void {
  if (!header.needCheck && !header.unknownAutoclear) return
  log('%s: was not closed cleanly; looking whether it needs mending', file.path)
  if (header.needCheck) mend(file, header)
  const scratch = new IoBuffer(8)
  if (header.needCheck) writeNeedCheck(file, scratch, header.features, false)
  if (header.unknownAutoclear) clearAutoclear(file, scratch)
  file.sync()
}

function mend(file: StorageFile, header: QedHeader): void {
  const found = scan(file, header, false)
  if (found.errors > 0 || found.beyondRepair > 0) {
    throw new ImageError(
      'CORRUPT',
      `${file.path}: the image was not closed cleanly and has damage that is not mended on opening (${found.findings[0]}); ` +
        'run "rawmount check -r all", or mount it read-only (-r)',
    )
  }
  if (found.invalid > 0) scan(file, header, true)
  // The entries, and the data written before a crash, are on the medium before the bit says so.
  file.sync()
}
