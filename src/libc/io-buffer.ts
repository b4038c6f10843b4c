import { addressOf, declare } from './library.js'

const PAGE = 4096

const memcpy = declare('intptr_t memcpy(intptr_t target, intptr_t source, size_t length)')

/**
 * Memory that system calls read and write by address: made once per thread and purpose, then reused for every
 * request, so that the request path allocates nothing. It lies outside the garbage collected heap and never
 * moves; untouched pages cost no memory. The address is good for as long as the object is reachable: keep the
 * object, never only the address.
 *
 * With a SharedArrayBuffer several threads attach to the same bytes.
 */
export class IoBuffer {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly address: number
  readonly length: number

  constructor(memory: number | ArrayBuffer | SharedArrayBuffer) {
    const [backing, start, length] =
      typeof memory === 'number' ? allocate(memory) : ([memory, 0, memory.byteLength] as const)
    this.bytes = new Uint8Array(backing, start, length)
    this.view = new DataView(backing, start, length)
    this.length = length
    this.address = length === 0 ? 0 : addressOf(this.bytes)
  }

  /** Copies between two buffers without making views of them. Throws RangeError beyond either's end. */
  copyFrom(source: IoBuffer, from: number, length: number, at: number): void {
    const fits =
      from >= 0 && at >= 0 && length >= 0 && from + length <= source.length && at + length <= this.length
    if (!fits) throw new RangeError(`cannot copy ${length} bytes from ${from} to ${at}`)
    memcpy(this.address + at, source.address + from, length)
  }
}

/**
 * Memory that begins with a page, if it is as large as one. The kernel moves at most so many pages in one request of
 * O_DIRECT or of a file system in user space: with memory that begins within a page it would need one more for the end.
 */
function allocate(length: number): readonly [backing: ArrayBuffer, start: number, length: number] {
  if (length < PAGE) return [new ArrayBuffer(length), 0, length]
  const backing = new ArrayBuffer(length + PAGE)
  const within = addressOf(new Uint8Array(backing)) % PAGE
  return [backing, within === 0 ? 0 : PAGE - within, length]
}
