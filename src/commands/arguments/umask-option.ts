import { invalid, type Option } from './options.js'

/** Permission bits, in octal as umask(1) takes them. */
export function umask(names: string, help: string): Option<number | null> {
  return {
    kind: 'text',
    short: null,
    long: names,
    valueName: 'MASK',
    choices: [],
    default: null,
    help,
    read(text) {
      if (!/^0*[0-7]{1,3}$/.test(text)) throw invalid(`takes three octal digits such as 022, not '${text}'`)
      return Number.parseInt(text, 8)
    },
  }
}
