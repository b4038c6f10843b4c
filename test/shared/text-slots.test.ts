import test from 'ava'
import { TextSlots } from '../../src/shared/text-slots.js'

test('a text is read back in pieces, by any attached reader', t => {
  const memory = TextSlots.allocate()
  const slot = new TextSlots(memory).put('grün ist die Heide')
  const bytes = new Uint8Array(64)
  const reader = new TextSlots(memory)
  const first = reader.read(slot, 0, 5, bytes, 0)
  const rest = reader.read(slot, 5, 64, bytes, first)
  t.is(Buffer.from(bytes.subarray(0, first + rest)).toString(), 'grün ist die Heide')
  t.is(reader.read(slot, 100, 64, bytes, 0), 0)
})

test('without a free slot a text is refused, and a freed slot is used again', t => {
  const slots = new TextSlots(TextSlots.allocate())
  const taken: number[] = []
  for (let slot = slots.put('x'); slot >= 0; slot = slots.put('x')) taken.push(slot)
  t.is(taken.length, 16)
  slots.free(taken[7])
  t.is(slots.put('y'), taken[7])
})

test('an empty text takes a slot like any other', t => {
  const slots = new TextSlots(TextSlots.allocate())
  const slot = slots.put('')
  t.is(slots.read(slot, 0, 10, new Uint8Array(10), 0), 0)
  t.not(slots.put(''), slot)
})
