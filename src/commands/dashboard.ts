import { setTimeout as sleep } from 'node:timers/promises'
import { MountReader } from '../dashboard/mount-reader.js'
import { DashboardServer } from '../dashboard/server.js'
import { findImageMount } from '../mount/outside/find-image-mount.js'
import type { Given } from './arguments/command.js'
import { print } from './display/output.js'
import { oneLine } from './display/report.js'
import { Interrupts } from './interruption.js'
import type { dashboard } from './table/dashboard.js'

/** Milliseconds between two looks whether the mount is still there. */
const LOOK = 500

/** Milliseconds after the unmount, for open pages to learn of it. */
const FAREWELL = 2500

export async function run({ values, operands }: Given<typeof dashboard>): Promise<number> {
  const [path = ''] = operands
  const mount = findImageMount(path)
  const reader = new MountReader(mount)
  await reader.check()
  const interrupts = new Interrupts()
  const server = await DashboardServer.start(reader, values.port ?? 0)
  await print(`${server.url}\n`)
  const end = await Promise.race([interrupts.arrived, unmounted(reader)])
  if (end === 'unmounted') await Promise.race([interrupts.arrived, sleep(FAREWELL)])
  interrupts.stop()
  await server.close()
  reader.close()
  if (end === 'unmounted') await print(`${oneLine(path)}: unmounted\n`)
  return 0
}

async function unmounted(reader: MountReader): Promise<'unmounted'> {
  while (reader.isThere()) await sleep(LOOK, undefined, { ref: false })
  return 'unmounted'
}
