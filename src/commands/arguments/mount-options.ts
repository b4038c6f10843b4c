import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CopyRequest } from '../../disk/copying.js'
import { ImageError } from '../../errors.js'
import type { MountFlag } from '../../fuse/kernel-mount.js'
import type { MountOptions } from '../../mount/options.js'
import { isUrl } from '../../storage/http/url.js'
import { mount } from '../table/mount.js'
import type { Given } from './command.js'
import type { KeyValues } from './key-values.js'
import { flagWords, readMountWord } from './mount-words.js'
import type { Option } from './options.js'
import { usageError } from './parse.js'
import { suggest } from './suggest.js'

type Values = Given<typeof mount>['values']

/** The options of a mount, from the command's own options and from its -o list, which counts more. */
export function mountOptions(operands: readonly string[], given: Values): MountOptions {
  const flags = new Set<MountFlag>()
  const values = withListed(given, flags)
  refuseCopying(values)
  return {
    // The daemon's working directory is another.
    images: operands.slice(0, -1).map(image => (isUrl(image) ? image : resolve(image))),
    mountpoint: resolve(operands.at(-1)!),
    format: values.format,
    readOnly: values.readOnly,
    overlay: overlayFrom(values),
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
    flags: [...flags],
    uid: values.uid,
    gid: values.gid,
    umask: values.umask,
    pidfile: values.pidfile === null ? null : resolve(values.pidfile),
    foreground: values.foreground || values.debug,
    debug: values.debug,
    logFile: values.logFile === null ? null : resolve(values.logFile),
  }
}

/** The words are those of the other switches; a file of such a name is ./on. */
function profileFrom(text: string): CopyRequest['prefetchProfile'] {
  return text === 'on' || text === 'off' || text === 'image' ? text : { path: resolve(text) }
}

/** The word stands for no file; one of that name is ./temp. */
function overlayFrom({ overlay, overlayFormat }: Values): MountOptions['overlay'] {
  if (overlay === null) {
    if (overlayFormat !== null) throw usageError(mount, "option '--overlay-format' needs --overlay")
    return null
  }
  if (overlay.endsWith('/') && !existsSync(overlay)) {
    throw new ImageError(
      'NOT_FOUND',
      `${overlay}: no such directory; create it with mkdir, or name a file without the slash`,
    )
  }
  return {
    path: overlay === 'temp' ? null : resolve(overlay),
    format: overlayFormat,
    temporary: resolve(process.env.TMPDIR || TEMPORARY),
  }
}

/** Temporary overlays can become as large as their images: not in /tmp, which may be memory. */
const TEMPORARY = '/var/tmp'

/** What a mount that changes nothing cannot do. */
function refuseCopying(values: Values): void {
  if (!values.readOnly) return
  const asked = [
    values.overlay !== null && `--overlay=${values.overlay}`,
    values.copyOnRead === 'on' && '--copy-on-read=on',
    values.prefetch === 'on' && '--prefetch=on',
    values.detach && '--detach',
    values.writeBase.startsWith('write') && `--write-base=${values.writeBase}`,
  ].find(option => option !== false)
  if (asked)
    throw usageError(
      mount,
      `option '${asked}' is for mounts that are written to, and -r is for those that are not: drop one of them`,
    )
}

function withListed(given: Values, flags: Set<MountFlag>): Values {
  const values: Record<string, unknown> = { ...given }
  if (given.options.has('remount')) {
    throw usageError(
      mount,
      'the options of a mount cannot be changed (remount): unmount, and mount again with those you want',
    )
  }
  for (const [key, text] of given.options) {
    if (key === 'ro' || key === 'rw') {
      if (text !== null) throw usageError(mount, `option '-o ${key}' takes no value`)
      values.readOnly = key === 'ro' || given.readOnly
    } else if (!readMountWord(key, flags)) setListed(values, key, text)
  }
  return values as unknown as Values
}

/** For a caller who does not mind words that nobody knows (mount -s). */
export function withoutUnknown(listed: KeyValues): KeyValues {
  const isKnown = (key: string) => ['ro', 'rw', 'remount'].includes(key) || readMountWord(key, new Set())
  return new Map([...listed].filter(([key]) => isKnown(key) || optionNamed(key) !== undefined))
}

function optionNamed(key: string) {
  return listable().find(([, option]) => asKey(option.long) === key)
}

/** commit_interval=1 is --commit-interval 1. */
function setListed(values: Record<string, unknown>, key: string, text: string | null): void {
  const found = optionNamed(key)
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
  const near = suggest(key, ['ro', 'rw', ...flagWords, ...listable().map(([, option]) => asKey(option.long))])
  const next = near === null ? "see 'rawmount mount --help'" : `did you mean '${near}'?`
  return `unknown mount option '${key}': ${next}`
}

export function listable(): [string, Option][] {
  return Object.entries(mount.options).filter(
    ([name]) => name !== 'options' && name !== 'foreground' && name !== 'readOnly' && name !== 'readyFd',
  )
}

export function asKey(long: string): string {
  return long.replaceAll('-', '_')
}
