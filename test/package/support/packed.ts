import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { succeed } from '../../support/tools.js'

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))

/** What `npm pack` tells of a package. */
export interface Packed {
  readonly filename: string
  /** Bytes of the archive. */
  readonly size: number
  readonly files: readonly { readonly path: string; readonly mode: number }[]
}

/** Packs what is built, into `directory`. Without scripts: prepack builds again, under the feet of the other tests. */
export async function pack(directory: string, ...options: string[]): Promise<Packed> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory, ...options, ROOT]
  const [packed] = JSON.parse(await succeed('npm', ...args)) as Packed[]
  return packed!
}

/** The archive that was packed, by its path. */
export async function archive(directory: string): Promise<string> {
  return join(directory, (await pack(directory)).filename)
}
