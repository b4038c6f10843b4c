import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { FormatDriver } from '../driver.js'
import type { ImageFacts, OpenedImage, OpenOptions } from '../format.js'
import { QedDriver } from './driver.js'
import { decodeL1Entry } from './entries.js'
import { type QedHeader, readHeader } from './header.js'
import { BACKING_FILE, BACKING_FORMAT_NO_PROBE, ENTRY_LENGTH, NEED_CHECK } from './layout.js'
import { recover } from './recover.js'
import { describeState, type QedDescription, QedState, Word } from './state.js'
import { WritableQedDriver } from './writable-driver.js'

/** @see Format.open */
export function open(
  file: StorageFile,
  options: Pick<OpenOptions, 'writable' | 'metadataCache' | 'size'>,
): OpenedImage {
  if (options.writable && !file.writable) {
    throw new ImageError(
      'READ_ONLY',
      `${file.path}: the file is open for reading only; open the image read-only`,
    )
  }
  const found = readHeader(file)
  const header = options.size === undefined ? found : { ...found, imageSize: options.size }
  const facts = describeHeader(header, header.needCheck && !options.writable)
  if (options.writable) recover(file, header)
  const description = describeState(header, header, options.writable, file.size(), options.metadataCache)
  const state = new QedState(description, file)
  fillState(state, file.size())
  return {
    driver: makeDriver(state),
    backing: header.backing,
    describe: () => description,
    info: facts,
  }
}

/** @see Format.attach */
export function attach(description: unknown, file: StorageFile): FormatDriver {
  return makeDriver(new QedState(description as QedDescription, file))
}

function makeDriver(state: QedState): FormatDriver {
  return state.description.writable ? new WritableQedDriver(state) : new QedDriver(state)
}

/** Bytes of the L1 table that are read at a time. */
const PIECE = 64 * 1024

function fillState(state: QedState, fileSize: number): void {
  const { file, geometry, l1, numbers } = state
  // A cluster that the end of the file cuts is neither valid nor handed out.
  const whole = Math.floor(fileSize / geometry.clusterSize)
  const next = Math.ceil(fileSize / geometry.clusterSize)
  atomics.storeUnsigned(numbers, Word.next, next)
  atomics.storeUnsigned(numbers, Word.high, next)
  atomics.storeUnsigned(numbers, Word.extended, whole)
  const buffer = new IoBuffer(PIECE)
  const bytes = geometry.l1Entries * ENTRY_LENGTH
  for (let at = 0; at < bytes; at += PIECE) {
    const length = Math.min(PIECE, bytes - at)
    if (file.read(buffer, 0, length, geometry.l1Offset + at) < length) {
      throw new ImageError(
        'CORRUPT',
        `${file.path}: the file ends within the L1 table; take a good copy of the image`,
      )
    }
    for (let i = 0; i < length; i += ENTRY_LENGTH) {
      l1[(at + i) / ENTRY_LENGTH] = decodeL1Entry(buffer.view, i, geometry, whole)
    }
  }
}

const FEATURE_NAMES: readonly [number, string][] = [
  [BACKING_FILE, 'backing-file'],
  [NEED_CHECK, 'need-check'],
  [BACKING_FORMAT_NO_PROBE, 'backing-format-no-probe'],
]

function describeHeader(header: QedHeader, dirty: boolean): ImageFacts {
  const features = FEATURE_NAMES.filter(
    ([bit]) => (header.features & bit) !== 0 && (bit !== NEED_CHECK || dirty),
  )
  return {
    clusterSize: header.clusterSize,
    dirty,
    specific: {
      'table-size': header.tableSize,
      'header-size': header.headerSize,
      'l1-table-offset': header.l1Offset,
      features: features.map(([, name]) => name),
    },
  }
}
