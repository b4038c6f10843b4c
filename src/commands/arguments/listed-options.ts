import { explanation, shownValue } from '../manual/page.js'
import { helper } from '../mount-helpers/mount-helper.js'
import { helper as umountHelper } from '../mount-helpers/umount-helper.js'
import { asKey, listable } from './mount-options.js'
import { flag, type Option } from './options.js'

/** A word of mount's -o. */
export interface MountWord {
  /** As it is written: commit_interval. */
  readonly key: string
  /** Null for one that stands alone. */
  readonly valueName: string | null
  readonly what: string
  readonly option: Option
}

/** What may be given as -o KEY=VALUE, but for ro and rw and the words of mount(8) itself. */
export function listedOptions(): MountWord[] {
  return listable().map(([, option]) => ({
    key: asKey(option.long),
    valueName: shownValue(option),
    what: explanation(option),
    option,
  }))
}

/** The options of mount.rawmount that the letters of mount helpers differ in, and those it ignores. */
export function helperOptions(): Option[] {
  const { foreground, readOnly, options, noMtab, verbose, sloppy, type } = helper.options
  const help = flag('h,help', 'show the help of `rawmount mount`')
  return [foreground, readOnly, options, noMtab, verbose, sloppy, type, help]
}

/** What umount.fuse.rawmount can do beyond `rawmount umount`. */
export function umountHelperOptions(): Option[] {
  const { lazy, force } = umountHelper.options
  return [lazy, force]
}
