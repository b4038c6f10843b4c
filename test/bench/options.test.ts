import test from 'ava'
import { parseOptions } from '../../bench/options.js'

const names = ['read-4k', 'write-4k']

function parsed(...args: string[]) {
  let said = ''
  const options = parseOptions(args, names, text => {
    said += text
  })
  return { options, said }
}

test('without options everything is measured, five times', t => {
  const { options } = parsed()
  t.is(options?.rounds, 5)
  t.is(options?.size, 2 ** 30)
  t.true(names.every(name => options?.only.test(name)))
})

test('what is asked for goes before what --quick means', t => {
  const { options } = parsed('--quick', '--rounds', '3')
  t.is(options?.rounds, 3)
  t.is(options?.seconds, 1)
})

test('--list and --help measure nothing', t => {
  t.deepEqual(parsed('--list'), { options: null, said: 'read-4k\nwrite-4k\n' })
  t.regex(parsed('--help').said, /--only REGEX/)
})

for (const [args, message] of [
  [['--rounds', '0'], /--rounds 0/],
  [['--rounds', '1.5'], /whole number/],
  [['--seconds', 'soon'], /--seconds soon/],
  [['--size', '100K'], /--size/],
  [['--only', 'nothing'], /matches none of read-4k, write-4k/],
  [['--round', '1'], /--round/],
] as const) {
  test(`${args.join(' ')} is refused`, t => {
    t.throws(() => parsed(...args), { message })
  })
}
