import { existsSync } from 'node:fs'
import { ImageError } from '../../errors.js'
import { resolveMountpoint } from '../../fuse/mountpoint.js'
import { isUrl } from '../../storage/http/url.js'
import { command, type Given } from '../arguments/command.js'
import { mountOptions, withoutUnknown } from '../arguments/mount-options.js'
import { flag, text } from '../arguments/options.js'
import { parse } from '../arguments/parse.js'
import { print } from '../display/output.js'
import { helpOf } from '../manual/help.js'
import { run as runMount } from '../mount.js'
import { mount } from '../table/mount.js'
import { withHelperCodes } from './helper-codes.js'

/**
 * `rawmount IMAGE MOUNTPOINT [-o OPTIONS]`: what mount(8) calls for the type fuse.rawmount, and what FUSE programs
 * take by custom. Called as mount.rawmount (`byMount`), the letters are those of mount helpers: -f is "fake", do
 * everything but the mount. @see man 8 mount, "External helpers"; man 8 mount.fuse3
 */
const { foreground: _, readOnly: __, ...shared } = mount.options
const own = {
  ...mount,
  // mount(8) knows one source; a directory of images can be that.
  operands: [{ name: 'IMAGE' }, { name: 'MOUNTPOINT' }],
  options: {
    foreground: flag('f,foreground', 'stay in front (as mount.rawmount: only check the options)'),
    readOnly: flag('r,read-only', 'as -o ro'),
    ...shared,
    noMtab: flag('n,no-mtab', 'do not tell mount(8) that the mount is there'),
    verbose: flag('v,verbose', 'ignored'),
    sloppy: flag('s,sloppy', 'pass over mount options that nobody knows'),
    type: text('t,types', 'TYPE', null, 'ignored: mount(8) passes it'),
  },
}
export const helper = command(own)

export async function run(args: readonly string[], byMount: boolean): Promise<number> {
  const start = async (): Promise<number> => {
    const given = parse(helper, args)
    if (given === null) return showHelp()
    return byMount ? mountFor(given) : runMount(given)
  }
  return byMount ? withHelperCodes(start) : start()
}

async function mountFor({ values, operands }: Given<typeof helper>): Promise<number> {
  const [image = '', mountpoint = ''] = operands
  const { foreground: fake, sloppy, ...rest } = values
  const options = sloppy ? withoutUnknown(values.options) : values.options
  const missing = !isUrl(image) && !existsSync(image)
  const given = { ...rest, options, foreground: false }
  mountOptions(operands, given)
  // As with a device that is not there: a line of fstab may name what comes and goes.
  if (missing && values.options.has('nofail')) return 0
  if (!fake) {
    const code = await runMount({ values: given, operands })
    const { noteHelper } = await import('../../mount/daemon/utab.js')
    if (!values.noMtab) noteHelper(resolveMountpoint(mountpoint))
    return code
  }
  if (missing) throw new ImageError('NOT_FOUND', `${image}: no such file`)
  return 0
}

async function showHelp(): Promise<number> {
  await print(helpOf(mount))
  return 0
}
