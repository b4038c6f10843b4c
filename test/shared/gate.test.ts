import test from 'ava'
import { Gate } from '../../src/shared/gate.js'

test('a closed gate lets nobody in, and is empty when the last one has left', t => {
  const memory = Gate.allocate()
  const gate = new Gate(memory)
  t.true(gate.enter())
  t.true(new Gate(memory).enter())
  gate.close()
  t.true(gate.isClosed)
  t.false(new Gate(memory).enter())
  t.false(gate.waitUntilEmpty(1))
  gate.leave()
  gate.leave()
  t.true(gate.waitUntilEmpty(1))
})

test('a gate that is about to be closed still lets in who is at it', t => {
  const memory = Gate.allocate()
  const gate = new Gate(memory)
  t.false(gate.isEnding)
  gate.announceEnd()
  t.true(new Gate(memory).isEnding)
  t.false(gate.isClosed)
  t.true(gate.enter())
  gate.leave()
  gate.close()
  gate.announceEnd()
  t.true(gate.isClosed)
})
