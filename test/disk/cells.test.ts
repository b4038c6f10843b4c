import test from 'ava'
import { Cells, countCells } from '../../src/disk/cells.js'
import { qedSpec, rawSpec } from '../support/geometries.js'
import { buildImage, openBuilt } from '../support/image-chain.js'
import { Random } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'

const CLUSTER = 4096

test('cells tell data of the image, of its base, zeros and what nobody has written', t => {
  const storage = new SimulatedStorage()
  const base = qedSpec(8 * CLUSTER, CLUSTER, 1)
  const built = buildImage(storage, qedSpec(16 * CLUSTER, CLUSTER, 1, { backing: base }), new Random(1))
  const opened = openBuilt(storage, built, true)
  const cells = new Cells(opened.size, 2, CLUSTER, 4)
  opened.write(0, new Uint8Array(CLUSTER).fill(1))
  opened.zero(CLUSTER, CLUSTER)
  t.is(countCells(opened.image.disk, cells), opened.size)
  t.is(cells.span, 4 * CLUSTER)
  t.is(cells.bytes(0, 0), CLUSTER)
  t.true(cells.bytes(0, cells.zero) >= CLUSTER)
  for (let cell = 0; cell < cells.count; cell++) {
    let sum = 0
    for (let kind = 0; kind < cells.kinds; kind++) sum += cells.bytes(cell, kind)
    t.is(sum, cells.length(cell))
  }
  opened.close()
})

test('a hole of a file is zeros', t => {
  const storage = new SimulatedStorage()
  const built = buildImage(storage, rawSpec(10 * CLUSTER), new Random(1))
  const opened = openBuilt(storage, built, true)
  opened.write(2 * CLUSTER, new Uint8Array(CLUSTER).fill(1))
  const cells = new Cells(opened.size, 1, CLUSTER, 4096)
  countCells(opened.image.disk, cells)
  t.is(cells.count, 10)
  t.is(cells.total(0), CLUSTER)
  t.is(cells.bytes(2, 0), CLUSTER)
  t.is(cells.total(cells.zero), 9 * CLUSTER)
  opened.close()
})

test('there are at most as many cells as asked for, of whole units, and the last may be shorter', t => {
  const cells = new Cells(1000 * 65536 + 512, 1, 65536, 100)
  t.is(cells.span, 11 * 65536)
  t.is(cells.count, 91)
  t.is(cells.length(90), 10 * 65536 + 512)
  t.is(new Cells(0, 1, 65536, 100).count, 0)
})

test('an extent that fills many cells is counted in each', t => {
  const cells = new Cells(2 ** 50, 1, 65536, 4096)
  cells.add(1, 2 ** 50 - 2, 0)
  t.is(cells.bytes(0, 0), 2 ** 38 - 1)
  t.is(cells.bytes(1, 0), 2 ** 38)
  t.is(cells.bytes(4095, 0), 2 ** 38 - 1)
})

test('counting stops at its deadline, and goes on from there', t => {
  const storage = new SimulatedStorage()
  const built = buildImage(storage, qedSpec(512 * CLUSTER, CLUSTER, 1), new Random(1))
  const opened = openBuilt(storage, built, true)
  for (let at = 0; at < opened.size; at += 2 * CLUSTER) opened.write(at, new Uint8Array(CLUSTER).fill(1))
  const cells = new Cells(opened.size, 1, CLUSTER, 4096)
  let rounds = 0
  let at = 0
  for (; at < opened.size; rounds++) at = countCells(opened.image.disk, cells, at, 0)
  t.true(rounds > 4)
  t.is(cells.total(0), 256 * CLUSTER)
  t.is(cells.total(cells.unallocated), 256 * CLUSTER)
  opened.close()
})
