const PAGE = 4096
const ZEROS = new Uint8Array(PAGE)

interface Page {
  owner: object
  readonly bytes: Uint8Array
}

/**
 * The contents of a simulated file: pages of 4 KiB, absent ones are holes. clone() shares the pages and copies
 * one when either side writes to it, so that thousands of crashed states of one file cost little.
 */
export class SparseBytes {
  size = 0
  private pages = new Map<number, Page>()
  private owner: object = {}

  clone(): SparseBytes {
    const copy = new SparseBytes()
    copy.size = this.size
    copy.pages = new Map(this.pages)
    this.owner = {}
    return copy
  }

  /** Bytes read: fewer than asked only at the end. */
  read(offset: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.length, this.size - offset))
    for (let done = 0; done < length; ) {
      const within = (offset + done) % PAGE
      const take = Math.min(PAGE - within, length - done)
      const page = this.pages.get(Math.floor((offset + done) / PAGE))
      if (page === undefined) into.fill(0, done, done + take)
      else into.set(page.bytes.subarray(within, within + take), done)
      done += take
    }
    return length
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const within = (offset + done) % PAGE
      const take = Math.min(PAGE - within, bytes.length - done)
      this.own(Math.floor((offset + done) / PAGE)).set(bytes.subarray(done, done + take), within)
      done += take
    }
    this.size = Math.max(this.size, offset + bytes.length)
  }

  /** Never changes the size. */
  zero(offset: number, length: number): void {
    const end = Math.min(offset + length, this.size)
    for (let at = offset; at < end; ) {
      const behind = Math.floor(end / PAGE)
      if (at % PAGE === 0 && behind - at / PAGE > this.pages.size) {
        // Terabytes of zeros: look at the pages that there are.
        for (const index of this.pages.keys())
          if (index >= at / PAGE && index < behind) this.pages.delete(index)
        at = behind * PAGE
        continue
      }
      const index = Math.floor(at / PAGE)
      const stop = Math.min(end, (index + 1) * PAGE)
      const whole = at % PAGE === 0 && (stop - at === PAGE || stop === this.size)
      if (whole) this.pages.delete(index)
      else if (this.pages.has(index)) this.own(index).fill(0, at % PAGE, stop - index * PAGE)
      at = stop
    }
  }

  truncate(size: number): void {
    if (size < this.size) {
      this.zero(size, this.size - size)
      for (const index of this.pages.keys()) if (index * PAGE >= size) this.pages.delete(index)
    }
    this.size = size
  }

  allocated(): number {
    return this.pages.size * PAGE
  }

  /** As StorageFile.stretch. */
  stretch(offset: number, hole: boolean): number {
    const first = Math.floor(offset / PAGE)
    let page = first
    if (!hole) while (this.pages.has(page)) page++
    else if (!this.pages.has(page)) {
      // A hole can be terabytes long: look at the pages that there are.
      page = Number.MAX_SAFE_INTEGER
      for (const index of this.pages.keys()) if (index > first && index < page) page = index
    }
    const end = page === first ? offset : page * PAGE
    return Math.min(end, Math.max(this.size, offset))
  }

  isZero(offset: number, length: number): boolean {
    for (let at = offset; at < offset + length; ) {
      const within = at % PAGE
      const take = Math.min(PAGE - within, offset + length - at)
      const page = this.pages.get(Math.floor(at / PAGE))
      if (
        page !== undefined &&
        Buffer.compare(page.bytes.subarray(within, within + take), ZEROS.subarray(0, take)) !== 0
      ) {
        return false
      }
      at += take
    }
    return true
  }

  bytes(offset = 0, length = this.size - offset): Uint8Array {
    const out = new Uint8Array(length)
    this.read(offset, out)
    return out
  }

  private own(index: number): Uint8Array {
    const page = this.pages.get(index)
    if (page?.owner === this.owner) return page.bytes
    const bytes = new Uint8Array(PAGE)
    if (page !== undefined) bytes.set(page.bytes)
    this.pages.set(index, { owner: this.owner, bytes })
    return bytes
  }
}
