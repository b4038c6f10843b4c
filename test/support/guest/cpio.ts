export interface CpioEntry {
  /** Without a slash at its start; directories come before what lies in them. */
  readonly name: string
  /** Type and permissions, as in struct stat. */
  readonly mode: number
  readonly data?: Uint8Array
}

/** The archive that Linux unpacks as its first root file system. @see Documentation/driver-api/early-userspace/buffer-format.rst */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const members = entries.map((entry, number) => member(entry, number + 1))
  return Buffer.concat([...members, member({ name: 'TRAILER!!!', mode: 0 }, 0)])
}

function member({ name, mode, data = new Uint8Array() }: CpioEntry, inode: number): Buffer {
  const fields = [
    inode,
    mode,
    0, // user
    0, // group
    1, // links
    0, // time of the last change
    data.length,
    0, // device, major
    0, // device, minor
    0, // of a device file, major
    0, // of a device file, minor
    name.length + 1,
    0, // checksum: none in this variant
  ]
  const header = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}${name}\0`
  return Buffer.concat([aligned(Buffer.from(header)), aligned(data)])
}

/** Each part starts at a multiple of 4. */
function aligned(part: Uint8Array): Buffer {
  return Buffer.concat([part, Buffer.alloc(-part.length & 3)])
}
