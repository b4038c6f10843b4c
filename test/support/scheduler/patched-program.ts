import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One place of one file of src, as compiled, that is to be broken on purpose. */
export interface Mutation {
  /** Below src, as in 'disk/write-path'. */
  readonly file: string
  readonly from: string | RegExp
  readonly to: string
}

/** What takes the place of files of src, so that threads take turns and files lie in memory. */
const REPLACED: Record<string, string> = {
  'shared/atomics': `export * from '../../test/support/scheduler/scheduled-atomics.js'\n`,
  'storage/system-file': `export { SharedFile as SystemFile } from '../../test/support/shared-storage.js'\n`,
}

/**
 * Copies the built program to `directory`, with shared memory and storage under the schedule's control, and changed as
 * told. Returns the path of the module that a thread of a run starts with. Throws when a mutation does not fit exactly one
 * place: the program has changed, and the mutation must with it.
 */
export function patchProgram(directory: string, mutations: readonly Mutation[] = []): string {
  const dist = fileURLToPath(new URL('../../../', import.meta.url))
  const sources = (path: string) => !/\.(map|d\.ts|test\.js)$/.test(path)
  cpSync(join(dist, 'src'), join(directory, 'src'), { recursive: true, filter: sources })
  cpSync(join(dist, 'test/support'), join(directory, 'test/support'), { recursive: true, filter: sources })
  symlinkSync(join(dist, '../node_modules'), join(directory, 'node_modules'))
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }\n')
  for (const [file, text] of Object.entries(REPLACED))
    writeFileSync(join(directory, 'src', `${file}.js`), text)
  for (const { file, from, to } of mutations) {
    const path = join(directory, 'src', `${file}.js`)
    const parts = readFileSync(path, 'utf8').split(from)
    if (parts.length !== 2)
      throw new Error(`${from} stands ${parts.length - 1} times in src/${file}, not once`)
    writeFileSync(path, parts.join(to))
  }
  return join(directory, 'test/support/scheduler/actor-thread.js')
}
