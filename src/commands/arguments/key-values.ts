import { invalid, type Option } from './options.js'

/** The items of an -o option: `ro,format=qed` is { ro → null, format → 'qed' }, in the order given. */
export type KeyValues = ReadonlyMap<string, string | null>

/** An option that takes a comma-separated list and adds up when repeated; the last value of a key counts. */
export function list(names: string, valueName: string, help: string): Option<KeyValues> {
  const [short = null, long = ''] = names.split(',')
  return {
    kind: 'list',
    short,
    long,
    valueName,
    choices: [],
    default: new Map(),
    help,
    read: readKeyValues,
  }
}

/** Adds to `before`. Two commas stand for one inside a value, as in QEMU's own -o. */
function readKeyValues(value: string, before: KeyValues): KeyValues {
  const items = new Map(before)
  for (const item of splitAtSingleCommas(value)) {
    if (item === '') continue
    const equals = item.indexOf('=')
    const key = equals === -1 ? item : item.slice(0, equals)
    if (key === '') throw invalid(`takes KEY=VALUE, not '${item}'`)
    // A repeated key moves to the end: "ro,rw" must be told from "rw,ro,rw".
    items.delete(key)
    items.set(key, equals === -1 ? null : item.slice(equals + 1))
  }
  return items
}

function splitAtSingleCommas(value: string): string[] {
  const items = ['']
  for (let at = 0; at < value.length; at++) {
    if (value[at] !== ',') items[items.length - 1] += value[at]
    else if (value[at + 1] === ',') items[items.length - 1] += value[at++]
    else items.push('')
  }
  return items
}
