import { addressOf, declare } from './library.js'

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
    const backing = typeof memory === 'number' ? new ArrayBuffer(memory) : memory
    this.bytes = new Uint8Array(backing)
    this.view = new DataView(backing)
    this.length = backing.byteLength
    this.address = this.length === 0 ? 0 : addressOf(this.bytes)
  }

  /** Copies between two buffers without making views of them. Throws RangeError beyond either's end. */
  copyFrom(source: IoBuffer, from: number, length: number, at: number): void {
    const fits =
      from >= 0 && at >= 0 && length >= 0 && from + length <= source.length && at + length <= this.length
    if (!fits) throw new RangeError(`cannot copy ${length} bytes from ${from} to ${at}`)
    memcpy(this.address + at, source.address + from, length)
  }
}
