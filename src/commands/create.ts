import { realpathSync, statSync } from 'node:fs'
import { type CreateImageOptions, createImage } from '../disk/create.js'
import { openImage } from '../disk/open.js'
import { ImageError } from '../errors.js'
import { formatByName } from '../formats/registry.js'
import { parseSize } from '../sizes.js'
import { hideCredentials, isUrl } from '../storage/http/url.js'
import { explainNoRoom } from '../storage/no-room.js'
import { systemHost } from '../storage/system-host.js'
import { NewFiles } from '../transfer/new-files.js'
import { lockOld } from '../transfer/old-file.js'
import { backingPath } from './arguments/backing-path.js'
import type { Given } from './arguments/command.js'
import { formatOptions, optionsOf } from './arguments/format-options.js'
import { usageError } from './arguments/parse.js'
import { readSize } from './arguments/size-option.js'
import { print } from './display/output.js'
import { oneLine, warn } from './display/report.js'
import { namingUsers } from './file-users.js'
import { create } from './table/create.js'

type Values = Given<typeof create>['values']

export async function run({ values, operands }: Given<typeof create>): Promise<number> {
  const [path = '', sizeText] = operands
  const format = formatByName(values.format)
  if (values.options.has('help') || values.options.has('?')) {
    await print(optionsOf(format))
    return 0
  }
  const options = formatOptions(create, values.options)
  const size = sizeText === undefined ? null : readSize(sizeText, `${path}: SIZE`)
  const backing = backingOf(values)
  if (values.force && values.base !== null && !values.unchecked)
    refuseOverwritingBase(path, values.base, values)
  const made = explainingFormat(values, () =>
    namingUsers([path], () =>
      makeOrReplace(path, {
        format: format.name,
        size,
        backing,
        options,
        overwrite: values.force,
        unsafeBacking: values.unchecked,
      }),
    ),
  )
  if (!values.quiet) await print(`${formatting(path, made, values)}\n`)
  if (format.name === 'qed' && parseSize(options.get('table_size') ?? '4') === 1) {
    warn(`${path}: QEMU does not open images with table_size=1, though the format allows it`)
  }
  return 0
}

/** An old file is replaced in the moment in which the new one is complete. */
function makeOrReplace(path: string, settings: CreateImageOptions): number {
  const old = settings.overwrite ? lockOld(path, true) : null
  const host = new NewFiles(old === null ? null : realpathSync(path), true)
  try {
    const size = createImage(path, { ...settings, host: old === null ? systemHost : host })
    host.publish()
    return size
  } catch (error) {
    throw explainNoRoom(error, old === null ? 'nothing was made' : whatIsLeft(settings))
  } finally {
    host.discard()
    old?.close()
  }
}

/** What a data file had was given up before. */
function whatIsLeft({ options }: CreateImageOptions): string {
  const file = 'the old file is as it was'
  return options?.has('data_file') ? `${file}, but the data file may be empty` : file
}

function backingOf({ base, baseFormat, unchecked }: Values): { name: string; format: string | null } | null {
  if (base !== null) {
    return { name: base, format: baseFormat === null ? null : formatByName(baseFormat).name }
  }
  if (baseFormat !== null) throw usageError(create, 'option -F describes a backing file: name it with -b')
  if (unchecked) throw usageError(create, 'option -u is about a backing file: name it with -b')
  return null
}

/** An unmarked base is never recorded as raw by a guess: a guest of it could then choose how it is opened. */
function explainingFormat<T>({ base, baseFormat }: Values, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'FORMAT_UNKNOWN') throw error
    if (base === null || baseFormat !== null) throw error
    throw new ImageError(
      'FORMAT_UNKNOWN',
      `backing file ${hideCredentials(base)}: carries no magic of a known format; if it is a raw disk, say so with -F raw`,
      { cause: error },
    )
  }
}

/** Emptying a file of one's own chain would lose what the new image shall show. */
function refuseOverwritingBase(path: string, base: string, { baseFormat }: Values): void {
  const existing = statSync(path, { throwIfNoEntry: false })
  if (existing === undefined) return
  const image = explainingFormat({ base, baseFormat } as Values, () =>
    openImage(backingPath(path, base), { format: baseFormat }),
  )
  image.close()
  for (const member of image.chain) {
    if (isUrl(member.path)) continue
    const { dev, ino } = statSync(member.path)
    if (dev !== existing.dev || ino !== existing.ino) continue
    throw new ImageError(
      'REFUSED',
      `${path}: belongs to the chain of the backing file ${hideCredentials(base)}; choose another name for the new image`,
    )
  }
}

/** What qemu-img says: the parameters of the image, as they were understood. */
function formatting(path: string, size: number, { format, base, baseFormat, options }: Values): string {
  const facts = [`fmt=${format}`, `size=${size}`]
  if (base !== null) facts.push(`backing_file=${hideCredentials(base)}`)
  if (baseFormat !== null) facts.push(`backing_fmt=${baseFormat}`)
  for (const [key, value] of options) facts.push(`${key}=${inBytes(key, value!)}`)
  return oneLine(`Formatting '${path}', ${facts.join(' ')}`)
}

function inBytes(key: string, value: string): string {
  const isSize = /_(size|unit|data|prefetch)$/.test(key) && /^\d[\d.]*[KMGTP]?$/i.test(value)
  return isSize ? `${parseSize(value)}` : value
}
