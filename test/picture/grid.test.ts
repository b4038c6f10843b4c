import test from 'ava'
import fc from 'fast-check'
import { Cells } from '../../src/disk/cells.js'
import { divide, Grid, segmentsOf } from '../../src/picture/grid.js'
import { holds } from '../support/properties.js'

test('a cell is divided in the proportion of its parts, and a small part can still be seen', t => {
  t.deepEqual(divide(10, [1, 1]), [5, 5])
  t.deepEqual(divide(6, [2 ** 40, 1, 0]), [5, 1, 0])
  t.deepEqual(divide(3, [0, 0]), [0, 0])
})

test('what is divided adds up, whatever the parts are', t => {
  const part = fc.oneof(fc.constant(0), fc.nat(), fc.maxSafeNat())
  holds(
    t,
    fc.property(fc.integer({ min: 1, max: 27 }), fc.array(part, { maxLength: 12 }), (whole, parts) => {
      const widths = divide(whole, parts)
      const present = parts.filter(one => one > 0).length
      const sum = widths.reduce((before, width) => before + width, 0)
      if (sum !== (present === 0 ? 0 : whole)) return false
      if (widths.some((width, index) => width < 0 || (width > 0 && parts[index] === 0))) return false
      return present > whole || widths.every((width, index) => width > 0 === parts[index]! > 0)
    }),
  )
})

test('equal neighbours in a row are one stretch', t => {
  const cells = new Cells(64 * 4096, 1, 4096, 4096)
  cells.add(0, 10 * 4096, 0)
  cells.add(10 * 4096, 22 * 4096, cells.zero)
  cells.add(32 * 4096, 32 * 4096, 0)
  const regions = [
    { kind: 0, style: 'd0', label: '', bytes: 0 },
    { kind: cells.zero, style: 'z', label: '', bytes: 0 },
  ]
  const grid = new Grid(cells.count)
  t.is(grid.columns, 32)
  t.deepEqual(segmentsOf(cells, grid, 0, regions), [
    [{ start: 0, length: 280 }],
    [{ start: 280, length: 616 }],
  ])
  t.deepEqual(segmentsOf(cells, grid, 1, regions), [[{ start: 0, length: Grid.WIDTH }], []])
})
