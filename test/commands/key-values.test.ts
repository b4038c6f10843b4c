import test from 'ava'
import fc from 'fast-check'
import { list } from '../../src/commands/arguments/key-values.js'
import { oneLine } from '../../src/commands/display/report.js'
import { holds } from '../support/properties.js'

const { read } = list('o,options', 'KEY=VALUE,...', '')
const key = fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,8}$/)
const value = fc.option(fc.string())

test('what is written as an -o list is read back, commas doubled', t => {
  holds(
    t,
    fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), items => {
      const text = items
        .map(([name, value]) => (value === null ? name : `${name}=${value}`).replaceAll(',', ',,'))
        .join(',')
      return JSON.stringify([...read(text, new Map())]) === JSON.stringify(items)
    }),
  )
})

test('an error is one line without escape sequences, whatever a file name or a header holds', t => {
  holds(
    t,
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach the terminal
    fc.property(fc.string({ unit: 'binary' }), text => !/[\u0000-\u001f\u007f-\u009f]/.test(oneLine(text))),
  )
})
