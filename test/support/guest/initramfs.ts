import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type CpioEntry, cpio } from './cpio.js'
import { BUSYBOX, MODULES } from './packages.js'

const DIRECTORY = 0o040755
const PROGRAM = 0o100755
const FILE = 0o100644

/** What a disk of QEMU's needs. */
const DRIVERS = [
  'virtio',
  'virtio_ring',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio_blk',
]

/** What the machine says when all files that it read were right, and its own was written. */
export const BOOT_OK = 'BOOT OK'

/**
 * The guest, all of it: reads what the list on the disk names, in the order of the list, compares, writes a file, and
 * turns itself off.
 */
const INIT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
mount -t proc none /proc
# Which of them needs which differs between kernels: each is there after some rounds.
for round in 1 2 3 4; do
  for module in /modules/*; do insmod $module 2> /dev/null; done
done
tries=0
while [ ! -b /dev/vda2 ] && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
mount -t ext4 /dev/vda2 /disk && cd /disk &&
  sha256sum -c boot.list > /tmp/said && echo "written by $(uname -s)" > /disk/booted && sync && cd / && umount /disk &&
  echo "${BOOT_OK}: $(grep -c ': OK$' /tmp/said) files" || { echo BOOT FAILED; grep -v ': OK$' /tmp/said; }
poweroff -f
`

/** The initial RAM disk that syslinux loads beside the kernel. */
export function initramfs(): Buffer {
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'proc', 'disk', 'tmp', 'modules'].map(name => ({ name, mode: DIRECTORY })),
    { name: 'bin/busybox', mode: PROGRAM, data: readFileSync(BUSYBOX) },
    { name: 'init', mode: PROGRAM, data: Buffer.from(INIT) },
  ]
  for (const driver of DRIVERS) {
    const path = join(MODULES, `${driver}.ko`)
    if (existsSync(path)) entries.push({ name: `modules/${driver}`, mode: FILE, data: readFileSync(path) })
  }
  return gzipSync(cpio(entries))
}
