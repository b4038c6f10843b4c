import { resolve } from 'node:path'
import type { CopyRequest } from '../../disk/copying.js'
import type { MountOptions } from '../../mount/options.js'
import { isUrl } from '../../storage/http/url.js'
import { mount } from '../table/mount.js'
import type { Given } from './command.js'
import { usageError } from './parse.js'
import { suggest } from './suggest.js'

type Values = Given<typeof mount>['values']

/**
 * What mount(8) passes on, or what an fstab line may say, that means nothing here: either it is for mount(8)
 * itself, or it is how every mount of rawmount is (no set-user-ID programs, no devices).
 */
const IGNORED =
  /^(defaults|auto|noauto|nofail|user|nouser|users|owner|group|_netdev|nosuid|nodev|noexec|suid|dev|exec|async|(no|rel|strict|lazy)?atime|(no)?diratime|nolazytime|norelatime|default_permissions|comment|[xX][-.].*)$/

/** The options of a mount, from the command's own options and from its -o list, which counts more. */
export function mountOptions(image: string, mountpoint: string, given: Values): MountOptions {
  const values = withListed(given)
  refuseCopying(values)
  return {
    // The daemon's working directory is another.
    image: isUrl(image) ? image : resolve(image),
    mountpoint: resolve(mountpoint),
    format: values.format,
    readOnly: values.readOnly,
    transport: values.transport,
    threads: values.threads,
    cache: values.cache,
    commitInterval: values.commitInterval,
    metadataCache: values.metadataCache,
    backing: values.backing,
    allowDevices: values.allowDevices,
    allowAddStorageCmd: values.allowAddStorageCmd,
    copying: {
      copyOnRead: values.copyOnRead,
      prefetch: values.prefetch,
      prefetchRate: values.prefetchRate,
      detach: values.detach,
      recordProfile: values.recordProfile,
      prefetchProfile: profileFrom(values.prefetchProfile),
      writeBase: values.writeBase,
    },
    nonempty: values.nonempty,
    allowOther: values.allowOther,
    uid: null,
    gid: null,
    umask: null,
    foreground: values.foreground || values.debug,
    debug: values.debug,
  }
}

/** The words are those of the other switches; a file of such a name is ./on. */
function profileFrom(text: string): CopyRequest['prefetchProfile'] {
  return text === 'on' || text === 'off' || text === 'image' ? text : { path: resolve(text) }
}

/** What a mount that changes nothing cannot do. */
function refuseCopying(values: Values): void {
  if (!values.readOnly) return
  const asked = [
    values.copyOnRead === 'on' && '--copy-on-read=on',
    values.prefetch === 'on' && '--prefetch=on',
    values.detach && '--detach',
    values.writeBase.startsWith('write') && `--write-base=${values.writeBase}`,
  ].find(option => option !== false)
  if (asked) throw usageError(mount, `option '${asked}' changes the image, and -r nothing: drop one of them`)
}

function withListed(given: Values): Values {
  const values: Record<string, unknown> = { ...given }
  for (const [key, text] of given.options) {
    if (key === 'ro' || key === 'rw') {
      if (text !== null) throw usageError(mount, `option '-o ${key}' takes no value`)
      values.readOnly = key === 'ro' || given.readOnly
    } else if (!IGNORED.test(key)) setListed(values, key, text)
  }
  return values as unknown as Values
}

/** commit_interval=1 is --commit-interval 1. */
function setListed(values: Record<string, unknown>, key: string, text: string | null): void {
  const found = listable().find(([, option]) => asKey(option.long) === key)
  if (found === undefined) throw usageError(mount, unknownOption(key))
  const [name, option] = found
  if (option.valueName === null && text !== null) throw usageError(mount, `option '-o ${key}' takes no value`)
  if (option.valueName !== null && text === null) {
    throw usageError(mount, `option '-o ${key}' needs a value: ${key}=${option.valueName}`)
  }
  try {
    values[name] = option.read(text ?? '', undefined as never)
  } catch (error) {
    throw usageError(mount, `option '-o ${key}' ${(error as Error).message}`)
  }
}

function unknownOption(key: string): string {
  const near = suggest(key, ['ro', 'rw', ...listable().map(([, option]) => asKey(option.long))])
  const next = near === null ? "see 'rawmount mount --help'" : `did you mean '${near}'?`
  return `unknown mount option '${key}': ${next}`
}

function listable() {
  return Object.entries(mount.options).filter(
    ([name]) => name !== 'options' && name !== 'foreground' && name !== 'readOnly',
  )
}

function asKey(long: string): string {
  return long.replaceAll('-', '_')
}
