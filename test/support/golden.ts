import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { environment, succeed } from './tools.js'

/** Images that the reference implementation of FVD made, as test/fixtures/fvd/README.md describes them. */
const FIXTURES = fileURLToPath(new URL('../../../test/fixtures/fvd/', import.meta.url))

/** What lacks() must find to unpack them. */
export const UNPACKING = ['tar', 'xz'] as const

/** Keys as in MANIFEST.json, those that tests look at. */
export interface GoldenImage {
  readonly name: string
  /** Bytes. */
  readonly virtual_size: number
  readonly files: FileContents
  /** Fields of the header by their names in the format. */
  readonly header: Readonly<Record<string, number | string>>
  /** Of the virtual disk: as the reference reads it after recovery, and as acknowledged writes would have it. */
  readonly sha256: string
  readonly sha256_model: string
  /** Bitmap and table, as they are and as they must be after recovery and a close. */
  readonly state: readonly string[]
  readonly state_after_recovery_and_close: readonly string[]
}

/** Length and hash of each file by its name. */
export type FileContents = Readonly<Record<string, { readonly size: number; readonly sha256: string }>>

export const GOLDEN = JSON.parse(readFileSync(join(FIXTURES, 'MANIFEST.json'), 'utf8')) as GoldenImage[]

export function golden(name: string): GoldenImage {
  const found = GOLDEN.find(image => image.name === name)
  if (found === undefined) throw new RangeError(`there is no golden image ${name}`)
  return found
}

/** Unpacks an image below `directory`; returns the directory that has it, its base and its data file. */
export async function unpack({ name }: GoldenImage, directory: string): Promise<string> {
  await succeed('tar', '--sparse', '-C', directory, '-xJf', join(FIXTURES, `${name}.tar.xz`))
  return join(directory, name)
}

/** The same below a directory that goes with the test, which must not mount there: that takes mounting.ts. */
export async function unpackFor(t: ExecutionContext, image: GoldenImage): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rawmount-golden-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return unpack(image, directory)
}

/** The virtual disk with hash `sha256`. */
export async function expectedDisk({ name, virtual_size: size }: GoldenImage): Promise<Buffer> {
  const { stdout } = await promisify(execFile)('xz', ['-dc', join(FIXTURES, 'expected', `${name}.raw.xz`)], {
    encoding: 'buffer',
    env: environment(),
    maxBuffer: size,
  })
  return stdout
}

/** All that lies in a directory of files. */
export async function contentsOf(directory: string): Promise<FileContents> {
  const contents: Record<string, { size: number; sha256: string }> = {}
  for (const name of (await readdir(directory)).sort()) {
    const path = join(directory, name)
    const hash = createHash('sha256')
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece)
    contents[name] = { size: (await stat(path)).size, sha256: hash.digest('hex') }
  }
  return contents
}

/** When each file of a directory was last written or changed, in nanoseconds. */
export async function timesOf(directory: string): Promise<Record<string, bigint[]>> {
  const times: Record<string, bigint[]> = {}
  for (const name of (await readdir(directory)).sort()) {
    const { mtimeNs, ctimeNs } = await stat(join(directory, name), { bigint: true })
    times[name] = [mtimeNs, ctimeNs]
  }
  return times
}
