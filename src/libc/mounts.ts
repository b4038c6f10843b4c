import { declare } from './library.js'

/** @see man 2 mount, umount2 */
export const mount = declare(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
)
export const umount2 = declare('int umount2(const char *target, int flags)')

export const MS_RDONLY = 0x01
export const MS_NOSUID = 0x02
export const MS_NODEV = 0x04
export const MS_NOEXEC = 0x08
export const MS_SYNCHRONOUS = 0x10
export const MS_NOATIME = 0x400

export const MNT_FORCE = 0x01
export const MNT_DETACH = 0x02
export const UMOUNT_NOFOLLOW = 0x08
