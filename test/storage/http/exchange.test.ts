import test from 'ava'
import { Exchange, ExchangeState, Kind } from '../../../src/storage/http/exchange.js'

test('a request reaches the other side as it was asked, once, and its answer comes back', t => {
  const memory = Exchange.allocate()
  const asker = new Exchange(memory)
  const server = new Exchange(memory)
  const slot = asker.claim()
  server.takeAsked(() => t.fail('was not asked yet'))
  asker.ask(slot, Kind.read, 7, 2 ** 40 + 1, 4096)
  server.takeAsked(taken => {
    t.deepEqual(
      [taken, server.kind(slot), server.file(slot), server.offset(slot), server.length(slot)],
      [slot, Kind.read, 7, 2 ** 40 + 1, 4096],
    )
  })
  server.takeAsked(() => t.fail('is served already'))
  server.buffer.bytes[server.place(slot)] = 42
  server.answer(slot, 0, 0, 1)
  t.is(asker.wait(slot), 0)
  t.is(asker.buffer.bytes[asker.place(slot)], 42)
  asker.free(slot)
})

test('a failure comes back with its errno and its words', t => {
  const exchange = new Exchange(Exchange.allocate())
  const slot = exchange.claim()
  exchange.ask(slot, Kind.read, 1, 0, 1)
  exchange.takeAsked(taken => exchange.fail(taken, 5, 'größer'))
  t.is(exchange.wait(slot), 5)
  t.is(exchange.text(slot), 'größer')
})

test('each slot has one owner, and can be claimed again when it is free', t => {
  const exchange = new Exchange(Exchange.allocate())
  const slots = new Set<number>()
  for (let slot = exchange.tryClaim(); slot >= 0; slot = exchange.tryClaim()) slots.add(slot)
  t.is(slots.size, 64)
  exchange.free(17)
  t.is(exchange.claim(), 17)
})

test('when the HTTP thread ends, nobody waits for it any more', t => {
  const exchange = new Exchange(Exchange.allocate())
  const [asked, served, late] = [exchange.claim(), exchange.claim(), exchange.claim()]
  exchange.ask(served, Kind.read, 1, 0, 1)
  exchange.takeAsked(() => {})
  exchange.ask(asked, Kind.read, 1, 0, 1)
  exchange.state = ExchangeState.ended
  exchange.failAll(5, 'it ended')
  t.is(exchange.wait(asked), 5)
  t.is(exchange.wait(served), 5)
  exchange.ask(late, Kind.read, 1, 0, 1)
  t.throws(() => exchange.wait(late), {
    message: /the thread that speaks HTTP has ended; open the image again/,
  })
})
