import type { ExecutionContext } from 'ava'
import type { Outcome } from '../../support/tools.js'

/** The command failed as it should: nothing on stdout, and exactly one line on stderr, which has all of `words` in it. */
export function complains(t: ExecutionContext, outcome: Outcome, ...words: string[]): void {
  const { code, stdout, stderr } = outcome
  t.is(code, 1, stderr)
  t.is(stdout, '')
  oneLine(t, stderr)
  for (const word of words) t.true(stderr.includes(word), `"${word}" is not in: ${stderr}`)
}

export function oneLine(t: ExecutionContext, stderr: string): void {
  t.regex(stderr, /^rawmount: [^\n]+\n$/)
  t.notRegex(stderr, /this is a bug|Error:|\bat .*\.js/)
  t.notRegex(stderr.trimEnd(), /\p{Cc}/u)
}
