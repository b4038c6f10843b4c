import { readFileSync } from 'node:fs'
import { outOfDescriptors } from './descriptors.js'

/** One line of /proc/self/mountinfo. @see man 5 proc */
export interface MountEntry {
  readonly device: string
  /** The minor number: of a FUSE mount, the number of its connection. */
  readonly minor: number
  readonly mountpoint: string
  readonly type: string
  readonly source: string
  readonly readOnly: boolean
}

const TABLE = '/proc/self/mountinfo'

/** All mounts that this process sees, in the order they were mounted. Asks nothing of the file systems themselves. */
export function readMountTable(): MountEntry[] {
  return readTable().split('\n').flatMap(parseMountLine)
}

function readTable(): string {
  try {
    return readFileSync(TABLE, 'utf8')
  } catch (error) {
    throw outOfDescriptors(TABLE, error) ?? error
  }
}

/** What is mounted exactly at `mountpoint` (an absolute path without links), on top of what else is there. */
export function findMount(mountpoint: string): MountEntry | null {
  return readMountTable().findLast(entry => entry.mountpoint === mountpoint) ?? null
}

/** No entry for an empty or unknown line. */
export function parseMountLine(line: string): MountEntry[] {
  const fields = line.split(' ')
  const separator = fields.indexOf('-', 6)
  if (separator < 0) return []
  const [, , device = '', , mountpoint = '', options = ''] = fields
  const [type = '', source = ''] = fields.slice(separator + 1)
  return [
    {
      device,
      minor: Number(device.split(':')[1]),
      mountpoint: unescapeOctal(mountpoint),
      type,
      source: unescapeOctal(source),
      readOnly: options.split(',').includes('ro'),
    },
  ]
}

/** Blank, tab, newline, backslash and # stand as octal numbers. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
}
