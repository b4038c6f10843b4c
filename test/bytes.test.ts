import test from 'ava'
import fc from 'fast-check'
import { isPowerOfTwo, readU64, roundDown, roundUp, writeU64 } from '../src/bytes.js'
import { holds } from './support/properties.js'

const offset = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const unit = fc.integer({ min: 1, max: 2 ** 26 })

test('a 64-bit number is read as it was written, up to 2^53', t => {
  const view = new DataView(new ArrayBuffer(8))
  holds(
    t,
    fc.property(offset, value => {
      writeU64(view, 0, value)
      return readU64(view, 0) === value && view.getBigUint64(0, true) === BigInt(value)
    }),
  )
})

test('a 64-bit number above 2^53 is told by not being safe', t => {
  const view = new DataView(new ArrayBuffer(8))
  holds(
    t,
    fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), value => {
      view.setBigUint64(0, value, true)
      return !Number.isSafeInteger(readU64(view, 0))
    }),
  )
})

test('rounding gives the nearest multiples on both sides', t => {
  holds(
    t,
    fc.property(fc.integer({ min: 0, max: 2 ** 52 }), unit, (value, unit) => {
      const [down, up] = [roundDown(value, unit), roundUp(value, unit)]
      return (
        down % unit === 0 &&
        up % unit === 0 &&
        down <= value &&
        value <= up &&
        up - down <= unit &&
        value - down < unit
      )
    }),
  )
})

test('powers of two are known among their neighbours', t => {
  for (let exponent = 2; exponent <= 52; exponent++) {
    t.true(isPowerOfTwo(2 ** exponent))
    t.false(isPowerOfTwo(2 ** exponent - 1))
    t.false(isPowerOfTwo(2 ** exponent + 1))
  }
  for (const not of [0, -2, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) t.false(isPowerOfTwo(not))
})
