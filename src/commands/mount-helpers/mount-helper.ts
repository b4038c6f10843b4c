import { existsSync } from 'node:fs'
import { command } from '../arguments/command.js'
import { mountOptions } from '../arguments/mount-options.js'
import { flag, text } from '../arguments/options.js'
import { parse, usageError } from '../arguments/parse.js'
import { print } from '../display/output.js'
import { helpOf } from '../manual/help.js'
import { run as runMount } from '../mount.js'
import { mount } from '../table/mount.js'

/**
 * `rawmount IMAGE MOUNTPOINT [-o OPTIONS]`: what mount(8) calls for the type fuse.rawmount, and what FUSE programs
 * take by custom. Called as mount.rawmount (`byMount`), the letters are those of mount helpers: -f is "fake", do
 * everything but the mount. @see man 8 mount, "External helpers"; man 8 mount.fuse3
 */
const { foreground: _, readOnly: __, ...shared } = mount.options
const own = {
  ...mount,
  options: {
    foreground: flag('f,foreground', 'stay in front (as mount.rawmount: only check the options)'),
    readOnly: flag('r,read-only', 'as -o ro'),
    ...shared,
    noMtab: flag('n,no-mtab', 'ignored'),
    verbose: flag('v,verbose', 'ignored'),
    sloppy: flag('s,sloppy', 'ignored'),
    type: text('t,types', 'TYPE', null, 'ignored: mount(8) passes it'),
  },
}
const helper = command(own)

export async function run(args: readonly string[], byMount: boolean): Promise<number> {
  const given = parse(helper, args)
  if (given === null) {
    await print(helpOf(mount))
    return 0
  }
  const { values, operands } = given
  if (!byMount) return runMount({ values, operands })
  const [image = '', mountpoint = ''] = operands
  if (!values.foreground) return runMount({ values, operands })
  mountOptions(image, mountpoint, values)
  if (!existsSync(image)) throw usageError(mount, `${image}: no such file`)
  return 0
}
