import test from 'ava'
import { humanSize, humanSizeWithBytes } from '../../src/commands/display/human-size.js'

test('sizes have three digits and a unit, as qemu-img prints them', t => {
  const printed = [0, 512, 999, 1000, 1024, 1536, 836 * 1024, 1000 * 1024, 1 << 30, 10 * 1024 ** 4].map(
    humanSize,
  )
  t.deepEqual(printed, [
    '0 B',
    '512 B',
    '999 B',
    '0.977 KiB',
    '1 KiB',
    '1.5 KiB',
    '836 KiB',
    '0.977 MiB',
    '1 GiB',
    '10 TiB',
  ])
  t.is(humanSizeWithBytes(1 << 30), '1 GiB (1073741824 bytes)')
})
