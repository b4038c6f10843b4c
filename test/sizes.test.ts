import test from 'ava'
import { parseSize } from '../src/sizes.js'

test('sizes are numbers with a suffix in powers of 1024, as qemu-img takes them', t => {
  const sizes: [string, number][] = [
    ['0', 0],
    ['512', 512],
    ['64k', 65536],
    ['64K', 65536],
    ['1M', 1 << 20],
    ['1.5G', 1.5 * 2 ** 30],
    ['0.5k', 512],
    ['10T', 10 * 2 ** 40],
    ['7P', 7 * 2 ** 50],
    ['9007199254740991', 2 ** 53 - 1],
    ['1.0', 1],
    ['1.0001k', 1024],
  ]
  for (const [text, size] of sizes) t.is(parseSize(text), size, text)
})

test('anything else is refused, and quoted', t => {
  for (const text of [
    '',
    ' 1',
    '1 ',
    '-1',
    '+1',
    'G',
    '1GB',
    '1KiB',
    '0x10',
    '1e3',
    '.5G',
    '5.',
    '1,5G',
    'ten',
    'NaN',
    'Infinity',
  ]) {
    t.throws(
      () => parseSize(text),
      { code: 'INVALID', message: new RegExp(`^"${text.replace(/[.+]/g, '\\$&')}" is not`) },
      text,
    )
  }
  t.throws(() => parseSize('1.5'), { message: '"1.5" is not a whole number of bytes' })
})

test('2^53 bytes and more are refused', t => {
  for (const text of ['8P', '9007199254740993', '1'.repeat(400), '9999999999T']) {
    t.throws(() => parseSize(text), { code: 'INVALID', message: /not below 2\^53/ }, text)
  }
})
