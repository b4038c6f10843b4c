import type { MountFlag } from '../../fuse/kernel-mount.js'

/** What a word of fstab(5) or of mount(8) sets or takes back; the kernel itself does these. */
const FLAGS: Readonly<Record<string, readonly [flag: MountFlag, on: boolean]>> = {
  noexec: ['noexec', true],
  exec: ['noexec', false],
  sync: ['sync', true],
  async: ['sync', false],
  noatime: ['noatime', true],
  atime: ['noatime', false],
  relatime: ['noatime', false],
  strictatime: ['noatime', false],
}

/** For suggestions. */
export const flagWords = Object.keys(FLAGS)

/**
 * What means nothing here: it is for mount(8) itself or for systemd; or it is so in every mount of rawmount (no
 * set-user-ID programs, no devices, permissions checked by the kernel); or it is about what the tree does not have
 * (links, directories that change, times of access).
 */
const IGNORED =
  /^(defaults|auto|noauto|nofail|(no)?user|users|(no)?owner|(no)?group|_netdev|(no)?suid|(no)?dev|no(rel|strict)atime|(no)?lazytime|(no)?diratime|dirsync|(no)?symfollow|(no)?iversion|(no)?mand|silent|loud|default_permissions|comment|u?helper|user_id|group_id|[xX][-.].*)$/

/** Whether the word is one of those that every file system takes; what it sets is noted in `flags`. */
export function readMountWord(word: string, flags: Set<MountFlag>): boolean {
  const known = Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined
  if (known === undefined) return IGNORED.test(word)
  const [flag, on] = known
  if (on) flags.add(flag)
  else flags.delete(flag)
  return true
}
