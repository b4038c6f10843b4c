import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CopyStatus } from '../../src/copy/status.js'
import { RAWMOUNT, run } from '../program.js'
import type { Filler, FillerId, Filling } from './filler.js'

const PROFILE = 'PROFILE'

/** FVD as users make it, compact, and everything about copying that is not named as the header says. */
function rawmount(id: FillerId, label: string, options: readonly string[]): Filler {
  return {
    id,
    label,
    commandLine: ['rawmount mount', ...options, 'IMAGE PLACE'].join(' '),
    fetches: options.includes('--prefetch=on'),
    async create(image, base) {
      const given = ['-q', '-f', 'fvd', '-o', 'compact_image=on', '-b', base, '-F', 'raw']
      await run(process.execPath, [RAWMOUNT, 'create', ...given, image])
    },
    serve(image, place, { profile }) {
      return mount(
        image,
        place,
        options.map(option => option.replace(PROFILE, profile)),
      )
    },
  }
}

/** By the built program, as a user runs it. */
export async function mount(image: string, place: string, options: readonly string[]): Promise<Filling> {
  await mkdir(place)
  // Not cut short: killed half way it would leave its daemon behind.
  await run(process.execPath, [RAWMOUNT, 'mount', ...options, image, place], { interruptible: false })
  return {
    path: join(place, 'disk.raw'),
    async isComplete() {
      const { prefetch, base } = await copyStatusOf(place)
      if (prefetch.state === 'paused') throw new Error(`${image}: prefetch paused: ${prefetch.reason}`)
      // A mount of an image that needed no base from the start has none.
      return base === null || prefetch.state === 'done'
    },
    async stop() {
      await run(process.execPath, [RAWMOUNT, 'umount', place], { interruptible: false })
      await rmdir(place)
    },
  }
}

/** The part of its status.json. */
interface Status {
  readonly prefetch: CopyStatus['prefetch']
  readonly base: CopyStatus['base'] | null
}

async function copyStatusOf(place: string): Promise<Status> {
  return JSON.parse(await readFile(join(place, '.rawmount/status.json'), 'utf8')) as Status
}

const NOTHING = ['--copy-on-read=off', '--prefetch=off']
const COPY_ON_READ = ['--copy-on-read=on', '--prefetch=off']
const PREFETCH = ['--copy-on-read=on', '--prefetch=on']
export const RECORD = [...COPY_ON_READ, '--record-profile']

export const rawmountNothing = rawmount('nothing', 'rawmount, nothing', NOTHING)
export const rawmountCopyOnRead = rawmount('copy-on-read', 'copy-on-read', COPY_ON_READ)
export const rawmountPrefetch = rawmount('prefetch', '+ prefetch', PREFETCH)
export const rawmountProfile = rawmount('profile', '+ profile', [
  ...PREFETCH,
  `--prefetch-profile=${PROFILE}`,
])
