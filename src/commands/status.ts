import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImageError } from '../errors.js'
import { findMount, type MountEntry } from '../fuse/mount-table.js'
import { MOUNT_TYPE, resolveMountpoint } from '../fuse/mountpoint.js'
import { findImageMount } from '../mount/outside/find-image-mount.js'
import { StatusAsker } from '../mount/outside/status-asker.js'
import type { Given } from './arguments/command.js'
import { LiveLines } from './display/live-lines.js'
import { print } from './display/output.js'
import { oneLine } from './display/report.js'
import { StatusRates, type StatusSample } from './display/status-rates.js'
import { statusJson, statusLine, statusView } from './display/status-view.js'
import type { status } from './table/status.js'

/** Milliseconds between two looks. */
const LOOK = 1000

export async function run({ values, operands }: Given<typeof status>): Promise<number> {
  const [path = ''] = operands
  const { watch, output } = values
  const place = findStatus(path)
  const asker = new StatusAsker(place.mount)
  const screen = watch && output === 'human' && process.stdout.isTTY ? new LiveLines(process.stdout) : null
  const rates = new StatusRates()
  await look(place, asker, rates)
  do {
    await sleep(LOOK)
    const sample = await look(place, asker, rates)
    if (sample === null) {
      if (!watch) throw new ImageError('MOUNT', `${path}: was unmounted meanwhile`)
      screen?.leave()
      if (output === 'human') await print(`${oneLine(path)}: unmounted\n`)
      return 0
    }
    if (screen !== null) screen.draw(statusView(sample, screen.columns))
    else if (output === 'json') await print(`${JSON.stringify(statusJson(sample))}\n`)
    else if (watch) await print(`${statusLine(sample, new Date())}\n`)
    else
      await print(
        statusView(sample, process.stdout.columns || 80)
          .map(line => `${line}\n`)
          .join(''),
      )
  } while (watch)
  return 0
}

interface StatusPlace {
  readonly mount: MountEntry
  /** The mount point, or the folder of an image below it. */
  readonly path: string
}

function findStatus(path: string): StatusPlace {
  const absolute = resolve(path)
  const above = findMount(resolveMountpoint(dirname(absolute)))
  if (above?.type === MOUNT_TYPE) return { mount: above, path: join(above.mountpoint, basename(absolute)) }
  const mount = findImageMount(path)
  return { mount, path: mount.mountpoint }
}

/** Null when that mount is there no more. */
async function look(
  { mount: { mountpoint, device }, path }: StatusPlace,
  asker: StatusAsker,
  rates: StatusRates,
): Promise<StatusSample | null> {
  const isThere = () => findMount(mountpoint)?.device === device
  try {
    if (!isThere()) return null
    const status = await asker.ask(path)
    return rates.add(performance.now(), status)
  } catch (error) {
    if (isThere()) throw error
    return null
  }
}
