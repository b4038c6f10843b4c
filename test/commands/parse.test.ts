import test from 'ava'
import { command } from '../../src/commands/arguments/command.js'
import { list } from '../../src/commands/arguments/key-values.js'
import { choice, flag, integer, text } from '../../src/commands/arguments/options.js'
import { parse } from '../../src/commands/arguments/parse.js'
import { size } from '../../src/commands/arguments/size-option.js'

const paint = command({
  name: 'paint',
  summary: '',
  description: [],
  operands: [{ name: 'WALL' }, { name: 'CEILING', optional: true }],
  options: {
    quick: flag('q,quick', ''),
    rough: flag('r,rough', ''),
    colour: choice('c,colour', 'COLOUR', ['red', 'blue'], 'red', ''),
    coats: integer('coats', 'N', { min: 1, max: 5 }, 2, ''),
    bucket: size('bucket', 'SIZE', 1024, 4096, ''),
    brush: text('b,brush', 'BRUSH', null, ''),
    extras: list('o,extras', 'KEY=VALUE', ''),
  },
  examples: [],
})

const values = (...args: string[]) => parse(paint, ['wall', ...args])!.values
const complaint = (...args: string[]) => {
  try {
    parse(paint, args)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

test('options that are not given have the defaults of the table', t => {
  const { quick, colour, coats, bucket, brush, extras } = values()
  t.deepEqual([quick, colour, coats, bucket, brush, extras.size], [false, 'red', 2, 4096, null, 0])
})

test('short flags can be combined, the last one with its value', t => {
  for (const args of [
    ['-qrcblue'],
    ['-qrc', 'blue'],
    ['-q', '-r', '-c', 'blue'],
    ['--quick', '--rough', '--colour=blue'],
    ['--colour', 'blue', '-rq'],
  ]) {
    const { quick, rough, colour } = values(...args)
    t.deepEqual([quick, rough, colour], [true, true, 'blue'], args.join(' '))
  }
})

test('options may follow operands', t => {
  t.deepEqual(parse(paint, ['-q', 'a', '--coats=3', 'b', '-r'])!.operands, ['a', 'b'])
})

test('behind -- and for a single dash everything is an operand', t => {
  t.deepEqual(parse(paint, ['--', '-q', '--help'])!.operands, ['-q', '--help'])
  t.deepEqual(parse(paint, ['-'])!.operands, ['-'])
})

test('sizes have suffixes', t => {
  t.is(values('--bucket=64K').bucket, 65536)
  t.is(values('--bucket', '2g').bucket, 2 * 1024 ** 3)
})

test('lists add up, the last value of a key counts, and two commas stand for one', t => {
  const { extras } = values('-o', 'a=1,b,c=x,,y', '--extras=a=2', '-o', ',', '-od=e=f')
  t.deepEqual(
    [...extras],
    [
      ['b', null],
      ['c', 'x,y'],
      ['a', '2'],
      ['d', 'e=f'],
    ],
  )
})

test('help is asked for anywhere before --', t => {
  t.is(parse(paint, ['--help']), null)
  t.is(parse(paint, ['wall', '-qh']), null)
  t.is(parse(paint, ['--coats', '3', '-h']), null)
})

test('a value belongs to the call: the defaults stay as they are', t => {
  values('-o', 'a=1')
  t.is(values().extras.size, 0)
})

const COMPLAINTS: [string[], string][] = [
  [['wall', '--colur=red'], "paint: unknown option '--colur': did you mean '--colour'?"],
  [['wall', '--brish'], "paint: unknown option '--brish': did you mean '--brush'?"],
  [['wall', '--coat=3'], "paint: unknown option '--coat': did you mean '--coats'?"],
  [['wall', '--elephant'], "paint: unknown option '--elephant': see 'rawmount paint --help'"],
  [['wall', '-x'], "paint: unknown option '-x': see 'rawmount paint --help'"],
  [['wall', '-qx'], "paint: unknown option '-x': see 'rawmount paint --help'"],
  [['wall', '--coats'], "paint: option '--coats' needs a value: --coats=N"],
  [['wall', '-qb'], "paint: option '-b' needs a value: -b BRUSH"],
  [['wall', '--quick=yes'], "paint: option '--quick' takes no value"],
  [['wall', '--brush='], "paint: option '--brush' must not be empty"],
  [['wall', '--colour=green'], "paint: option '--colour' takes red or blue, not 'green'"],
  [['wall', '--coats=6'], "paint: option '--coats' takes a number from 1 to 5, not '6'"],
  [['wall', '--coats=2.5'], "paint: option '--coats' takes a number from 1 to 5, not '2.5'"],
  [['wall', '--coats=0x2'], "paint: option '--coats' takes a number from 1 to 5, not '0x2'"],
  [['wall', '--coats='], "paint: option '--coats' takes a number from 1 to 5, not ''"],
  [['wall', '--bucket=1'], "paint: option '--bucket' takes at least 1 KiB, not '1'"],
  [['wall', '-o', '=3'], "paint: option '-o' takes KEY=VALUE, not '=3'"],
  [[], "paint: WALL is missing: see 'rawmount paint --help'"],
  [[''], "paint: WALL must not be empty: see 'rawmount paint --help'"],
  [['a', 'b', 'c'], "paint: unexpected argument 'c': see 'rawmount paint --help'"],
]

for (const [args, message] of COMPLAINTS) {
  test(`"paint ${args.join(' ')}" is refused: ${message}`, t => {
    t.is(complaint(...args), message)
  })
}

test('a size that is none is refused with what would be one', t => {
  t.regex(complaint('wall', '--bucket=much')!, /^paint: option '--bucket' takes a size: .*much.*10G/)
})
