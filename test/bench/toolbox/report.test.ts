import test from 'ava'
import { toolboxMarkdown, toolboxTables } from '../../../bench/toolbox/report.js'
import type { ToolboxResults } from '../../../bench/toolbox/results.js'

const results: ToolboxResults = {
  rounds: 3,
  size: 4 * 2 ** 30,
  disk: {
    'convert-raw-qed': { rawmount: [2, 1, 3], 'qemu-img': [4, 5, 3] },
    'compare-raw-raw': { rawmount: [1, 1, 1], 'qemu-img': [0.5, 0.5, 0.5] },
  },
  memory: null,
  many: null,
}

test('who is faster is told by the medians, and by single rounds', t => {
  const [table] = toolboxTables(results)
  const [, convert, compare] = table!.rows
  t.deepEqual(convert!.slice(2), [
    '2.0 (1.0 to 3.0)',
    '4.0 (3.0 to 5.0)',
    '2.00 (1.00 to 5.00)',
    '≥ 1 × qemu-img: met',
  ])
  t.deepEqual(compare!.slice(2), ['1.0', '0.50', '0.50 (0.50 to 0.50)', '≥ 1 × qemu-img: short'])
})

test('what was not measured has no table', t => {
  t.is(toolboxTables(results).length, 1)
  t.regex(
    toolboxMarkdown(results),
    /^### Whole disks, on the machine’s disk\n\nA disk of 4\.0 GiB.*\n\n\| what/,
  )
})
