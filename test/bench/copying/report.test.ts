import test from 'ava'
import { copyingMarkdown, copyingTables } from '../../../bench/copying/report.js'
import { copying, guestRound } from './support/example-copying.js'

function rows(title: string, results = copying): readonly (readonly string[])[] {
  return copyingTables(results).find(table => table.title === title)!.rows
}

test('boots have a column for each who was measured, and medians with their spread', t => {
  const [head, ...body] = rows('A boot from a slow base')
  t.deepEqual(head!.slice(2), ['rawmount, nothing', '+ prefetch'])
  t.deepEqual(
    body.find(([title]) => title === 'first boot'),
    ['first boot', 's', '4.5 (4.0 to 5.0)', '4.2'],
  )
  t.deepEqual(body.find(([title]) => title === 'all in the image after')!.slice(2), ['–', '9.0'])
})

test('the guest of a prefetch is compared with the one beside whom nothing is fetched', t => {
  const [, inImage] = rows('Reads of a guest while all is fetched')
  t.deepEqual(inImage!.slice(4, 7), ['2.0', '3.5', '1.8 (1.5 to 2.5)'])
  t.is(inImage!.at(-1), 'p99 ≤ 2 ×: met')
  const slow = { ...copying, guest: { ...copying.guest, prefetch: [5, 5, 5].map(guestRound) } }
  t.is(rows('Reads of a guest while all is fetched', slow)[1]!.at(-1), 'p99 ≤ 2 ×: short')
})

test('who moves a base is compared with cp, and who was not measured is left out', t => {
  const [, cp, prefetch, ...rest] = rows('All of a base at once')
  t.deepEqual(cp!.slice(2), ['450 (400 to 500)', '–', '–'])
  t.deepEqual(prefetch!.slice(3), ['0.83 (0.75 to 0.90)', '≥ 0.8 × cp: met'])
  t.deepEqual(rest, [])
})

test('a limit is judged by the round that missed it most', t => {
  const [, ten, fifty] = rows('A limited rate')
  t.deepEqual(ten!.slice(3), ['5.0 %', 'within 10 %: met'])
  t.deepEqual(fifty!.slice(3), ['16.0 %', 'within 10 %: short'])
})

test('parts that were not measured have no table', t => {
  const none = { ...copying, boot: null, guest: null, rates: null }
  t.deepEqual(
    copyingTables(none).map(({ title }) => title),
    ['All of a base at once'],
  )
})

test('in the documentation each table has a heading and says what it is of', t => {
  t.regex(
    copyingMarkdown(copying),
    /### A boot from a slow base\n\n20 reads, which touch 10 MB.*\n\n\| a boot/,
  )
})
