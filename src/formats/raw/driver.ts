import type { StorageFile } from '../../storage/storage-file.js'
import { type Mapping, type Place, Where, type WritableDriver } from '../driver.js'

/** Guest offset = file offset. Nothing is ever absent, so nothing is ever allocated. */
export class RawDriver implements WritableDriver {
  readonly format = 'raw'
  readonly endsEarly = false
  readonly grain = 0
  readonly zeroGrain = 0
  readonly absentEnd = 0
  commitForRoom = (): void => {}

  constructor(
    private readonly file: StorageFile,
    /** Bytes, fixed when the image was opened; any number, not only whole sectors. */
    readonly size: number,
  ) {}

  map(offset: number, length: number, run: Mapping): void {
    run.where = Where.data
    run.length = Math.min(length, this.size - offset)
    run.file = this.file
    run.offset = offset
  }

  allocate(_offset: number, _length: number, _place: Place): void {
    throw new TypeError('a raw image has no absent ranges')
  }

  publish(): void {
    throw new TypeError('a raw image has no absent ranges')
  }

  publishZeros(): void {
    throw new TypeError('a raw image has no absent ranges')
  }

  abandon(): void {}

  pending(): number {
    return 0
  }

  commit(): void {
    this.file.sync()
  }

  finish(): void {
    this.file.sync()
  }
}
