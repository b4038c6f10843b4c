import test from 'ava'
import { Course, Kind, type Look, PIECE, Piece } from '../../src/transfer/course.js'
import { seeded } from '../support/random.js'

test('the pieces of several threads are all that there is to do, once, and of one kind or mixed', t => {
  const random = seeded(t)
  for (let round = 0; round < 50; round++) {
    const ends: number[] = []
    const kinds: Kind[] = []
    for (let end = 0, i = random.between(1, 20); i > 0; i--) {
      end += random.chance(0.5) ? random.between(1, 5000) : random.between(1, 5 * PIECE)
      ends.push(end)
      kinds.push(random.pick([Kind.skip, Kind.first, Kind.second, Kind.both]))
    }
    const end = ends.at(-1)!
    const stretchAt = (offset: number) => ends.findIndex(stop => offset < stop)
    const look: Look = (offset, length, out) => {
      out.kind = kinds[stretchAt(offset)]!
      out.length = Math.min(length, ends[stretchAt(offset)]! - offset)
    }
    const mustBeSkipped = (from: number, to: number) => {
      for (let at = from; at < to; at = ends[stretchAt(at)]!) t.is(kinds[stretchAt(at)], Kind.skip)
    }
    const memory = Course.allocate(end)
    const threads = [new Course(memory), new Course(memory), new Course(memory)]
    const piece = new Piece()
    let position = 0
    while (random.pick(threads).claim(look, piece)) {
      const { offset, length, kind } = piece
      t.true(offset >= position && length > 0 && length <= PIECE && offset + length <= end)
      mustBeSkipped(position, offset)
      if (kind !== Kind.mixed) {
        t.is(stretchAt(offset), stretchAt(offset + length - 1))
        t.true(kind === kinds[stretchAt(offset)])
      }
      position = offset + length
    }
    mustBeSkipped(position, end)
  }
})

test('nothing is handed out behind an end that came nearer, nor after a stop', t => {
  const look: Look = (_offset, length, out) => {
    out.kind = Kind.first
    out.length = length
  }
  const course = new Course(Course.allocate(10 * PIECE))
  const piece = new Piece()
  t.true(course.claim(look, piece))
  course.endAt(2 * PIECE)
  course.endAt(3 * PIECE)
  t.is(course.end, 2 * PIECE)
  t.true(course.claim(look, piece))
  t.false(course.claim(look, piece))
  const other = new Course(Course.allocate(10 * PIECE))
  other.stop()
  t.false(other.claim(look, piece))
})

test('who comes when the course is closed is sent away', t => {
  const course = new Course(Course.allocate(1))
  t.true(course.join())
  t.is(course.close(), 1)
  t.false(course.join())
})

test('a look that fails ends one claim, and holds nobody up', t => {
  const course = new Course(Course.allocate(1))
  const failing: Look = () => {
    throw new Error('unreadable')
  }
  t.throws(() => course.claim(failing, new Piece()), { message: 'unreadable' })
  t.throws(() => course.claim(failing, new Piece()), { message: 'unreadable' })
})
