import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * What of Debian's packages the virtual machine of the tests is made of. scripts/guest.sh fetches it once, to a
 * directory outside the repository, and says there what that costs.
 */
const CACHE = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
const GUEST = join(CACHE, 'rawmount-test/guest')

export const KERNEL = join(GUEST, 'vmlinuz')
/** Statically linked. */
export const BUSYBOX = join(GUEST, 'busybox')
/** Kernel modules by their names; those that are missing here are part of the kernel. */
export const MODULES = join(GUEST, 'modules')
/** Boot code for the first sector of a disk: starts the boot sector of the active partition. */
export const MBR = '/usr/lib/syslinux/mbr/mbr.bin'

/** What lacks() must find for tests that boot. */
export const GUEST_NEEDS = [
  'root',
  'qemu-system-x86_64',
  'syslinux',
  'mformat',
  'mcopy',
  'sfdisk',
  'mkfs.ext4',
  'e2fsck',
  'losetup',
  MBR,
  KERNEL,
  BUSYBOX,
] as const
