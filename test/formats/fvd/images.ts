import { createImage } from '../../../src/disk/create.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'
import { TestDisk } from '../../support/test-disk.js'

export const PATH = '/images/disk.fvd'
export const BASE = '/images/base.raw'

export interface FvdOptions {
  readonly size?: number
  /** -o options of create. */
  readonly options?: Readonly<Record<string, string | number>>
  /** Bytes of a base with a pattern in it. */
  readonly baseSize?: number
}

/** An empty image on a simulated disk, everything so far durable and forgotten. */
export function makeFvd({ size = 1 << 20, options = {}, baseSize = 0 }: FvdOptions = {}): SimulatedStorage {
  const storage = new SimulatedStorage()
  if (baseSize > 0) storage.addFile(BASE, basePattern(baseSize))
  createImage(PATH, {
    format: 'fvd',
    size,
    host: storage,
    options: new Map(Object.entries(options).map(([key, value]) => [key, `${value}`])),
    backing: baseSize > 0 ? { name: 'base.raw', format: 'raw' } : null,
  })
  storage.settle()
  return storage
}

export function openFvd(host: SimulatedStorage, writable = true): TestDisk {
  return TestDisk.open(PATH, { host, writable })
}

/** Every byte says where it is; none is 0. */
export function basePattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => 1 + ((at * 7 + (at >> 9)) % 255))
}

export function fill(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte)
}

/** What happened since the last forget(), reads left out: "write 4096+512", "sync", "data: sync" … */
export function story(storage: SimulatedStorage): string[] {
  return storage.calls
    .filter(({ kind }) => kind !== 'read')
    .map(({ kind, path, offset, length }) => {
      const who = path === PATH ? '' : `${path.slice(path.lastIndexOf('/') + 1)}: `
      if (kind === 'sync') return `${who}sync`
      return kind === 'truncate' ? `${who}truncate ${offset}` : `${who}${kind} ${offset}+${length}`
    })
}

/** Header numbers by their offset in the file, as the format's page has them. */
export function header32(storage: SimulatedStorage, at: number): number {
  return viewOf(storage, at, 4).getUint32(0, true)
}

export function header64(storage: SimulatedStorage, at: number): number {
  return Number(viewOf(storage, at, 8).getBigUint64(0, true))
}

export const At = {
  metadataSize: 20,
  bitmapOffset: 1076,
  bitmapSize: 1084,
  tableOffset: 2212,
  journalOffset: 4284,
  journalSize: 4292,
  cleanShutdown: 4300,
} as const

export function isClean(storage: SimulatedStorage): boolean {
  return header32(storage, At.cleanShutdown) === 1
}

/** The table as it stands in the file: one number for each chunk. */
export function tableOf(storage: SimulatedStorage, chunks: number): number[] {
  const view = viewOf(storage, header64(storage, At.tableOffset), chunks * 4)
  return Array.from({ length: chunks }, (_, chunk) => view.getUint32(chunk * 4, true))
}

/** The bitmap as it stands in the file: the blocks that are in the image. */
export function bitmapOf(storage: SimulatedStorage): number[] {
  const bytes = storage
    .contents(PATH)
    .bytes(header64(storage, At.bitmapOffset), header64(storage, At.bitmapSize))
  return [...bytes].flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter(bit => byte & (1 << bit)).map(bit => at * 8 + bit),
  )
}

/** Sectors of the journal, each as its records; an independent reading of the format. */
export function journalOf(storage: SimulatedStorage): string[][] {
  const offset = header64(storage, At.journalOffset)
  const sectors = Math.floor(header64(storage, At.journalSize) / 512)
  return Array.from({ length: sectors }, (_, sector) =>
    recordsOf(viewOf(storage, offset + sector * 512, 512)),
  )
}

/** "TABLE 3: 0 1 2" (first chunk: ids), "BITMAP 8+16" (first sector, count), and what must not be. */
export function recordsOf(view: DataView): string[] {
  const records: string[] = []
  let at = 0
  while (at + 4 <= 512 && view.getUint32(at, true) !== 0) {
    const magic = view.getUint32(at, true)
    if (records.at(-1)?.startsWith('BITMAP')) return [...records, 'something behind a BITMAP']
    if (magic === 0x3f2ab8ed) {
      records.push(`BITMAP ${view.getBigInt64(at + 8, true)}+${view.getUint32(at + 4, true)}`)
      at += 16
    } else if (magic === 0xb4e6f7ac) {
      const count = view.getUint32(at + 8, true)
      if (count === 0 || at + 12 + count * 4 > 512)
        return [...records, `a TABLE of ${count} entries at ${at}`]
      const ids = Array.from({ length: count }, (_, i) => view.getUint32(at + 12 + i * 4, true))
      records.push(`TABLE ${view.getUint32(at + 4, true)}: ${ids.join(' ')}`)
      at += 12 + count * 4
    } else return [...records, `unknown 0x${magic.toString(16)}`]
  }
  for (let rest = at; rest < 512; rest++)
    if (view.getUint8(rest) !== 0) return [...records, `padding at ${rest}`]
  return records
}

function viewOf(storage: SimulatedStorage, offset: number, length: number): DataView {
  return new DataView(storage.contents(PATH).bytes(offset, length).slice().buffer)
}

/** Overwrites bytes of the file, as damage does. */
export function poke(storage: SimulatedStorage, offset: number, ...words: number[]): void {
  const bytes = new Uint8Array(words.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word, true)
  storage.contents(PATH).write(offset, bytes)
}
