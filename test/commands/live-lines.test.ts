import type { WriteStream } from 'node:tty'
import test from 'ava'
import { LiveLines } from '../../src/commands/display/live-lines.js'

/** What a terminal of so many columns and rows is sent. */
function terminal(columns: number, rows: number) {
  const sent: string[] = []
  return {
    sent,
    stream: { columns, rows, write: (text: string) => sent.push(text) } as unknown as WriteStream,
  }
}

test('lines are drawn in place, each erased to its end', t => {
  const { sent, stream } = terminal(80, 24)
  const lines = new LiveLines(stream)
  lines.draw(['one', 'two', 'three'])
  lines.draw(['four'])
  lines.clear()
  lines.draw(['five'])
  lines.leave()
  lines.leave()
  t.deepEqual(sent, [
    '\rone\x1b[K\ntwo\x1b[K\nthree\x1b[K\x1b[J',
    '\r\x1b[2Afour\x1b[K\x1b[J',
    '\r\x1b[J',
    '\rfive\x1b[K\x1b[J',
    '\n',
  ])
})

test('lines never take more than the terminal has', t => {
  const { sent, stream } = terminal(10, 3)
  new LiveLines(stream).draw(['0123456789abc', 'b', 'c', 'd'])
  t.deepEqual(sent, ['\r012345678\x1b[K\nb\x1b[K\x1b[J'])
})

test('a terminal that does not know its width has 80 columns', t => {
  t.is(new LiveLines(terminal(0, 0).stream).columns, 80)
})
