import { roundUp } from '../../bytes.js'
import * as atomics from '../../shared/atomics.js'
import { FILE_CELLS_BYTES, type FileCells, fileCells, resetCells } from './file-cells.js'
import { WrittenParts } from './written-parts.js'

/** What a slot consists of, in bytes from its start: numbers, flags, the cells of the file, written parts. */
const NUMBERS = 4
export const ID = 0
const NUMBER = 1
const OFFSET = 2
const SIZE = 3
export const FLAGS_AT = NUMBERS * 8
/** Words of the flags. */
export const LISTED = 0
export const OPENED = 1
const CELLS_AT = FLAGS_AT + 8
const WRITTEN_AT = CELLS_AT + FILE_CELLS_BYTES
export const SLOT_BYTES = roundUp(WRITTEN_AT + WrittenParts.BYTES, 8)

/** Where a partition lies. */
export interface Place {
  readonly number: number
  readonly offset: number
  readonly size: number
}

/** A file that shows a part of the disk, in one thread; see WindowTable. */
export class WindowSlot {
  private readonly numbers: Float64Array
  private readonly flags: Int32Array

  constructor(
    private readonly memory: SharedArrayBuffer,
    private readonly start: number,
    readonly index: number,
  ) {
    this.numbers = new Float64Array(memory, start, NUMBERS)
    this.flags = new Int32Array(memory, start + FLAGS_AT, 2)
  }

  get id(): number {
    return this.numbers[ID]!
  }

  get number(): number {
    return this.numbers[NUMBER]!
  }

  get offset(): number {
    return this.numbers[OFFSET]!
  }

  get size(): number {
    return this.numbers[SIZE]!
  }

  get isListed(): boolean {
    return atomics.load(this.flags, LISTED) !== 0
  }

  set isListed(value: boolean) {
    atomics.store(this.flags, LISTED, value ? 1 : 0)
  }

  get wasOpened(): boolean {
    return atomics.load(this.flags, OPENED) !== 0
  }

  set wasOpened(value: boolean) {
    atomics.store(this.flags, OPENED, value ? 1 : 0)
  }

  get isInUse(): boolean {
    return atomics.load(this.cells().handles, 0) !== 0
  }

  isAt({ number, offset, size }: Place): boolean {
    return this.number === number && this.offset === offset && this.size === size
  }

  cells(): FileCells {
    return fileCells(this.memory, this.start + CELLS_AT)
  }

  written(diskSize: number): WrittenParts {
    return new WrittenParts(this.memory, this.start + WRITTEN_AT, diskSize)
  }

  /** The id comes last: until then nobody looks. */
  fill(id: number, { number, offset, size }: Place, now: number): void {
    this.numbers[ID] = -1
    this.wasOpened = false
    this.written(0).clear()
    resetCells(this.cells(), now)
    this.numbers[NUMBER] = number
    this.numbers[OFFSET] = offset
    this.numbers[SIZE] = size
    this.numbers[ID] = id
    this.isListed = true
  }
}
