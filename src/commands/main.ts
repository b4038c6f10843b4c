#!/usr/bin/env node
import { describeBreak } from './display/output.js'
import { reportError } from './display/report.js'
import { failureOf, runProgram } from './program.js'

const args = process.argv.slice(2)

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that went away (`… | head`) is no error of ours; the rest of the output has nowhere to go.
  if (error.code === 'EPIPE') process.exit(1)
  process.stderr.write(`rawmount: stdout: ${describeBreak(error)}\n`)
  process.exit(failureOf(args))
})

try {
  process.exitCode = await runProgram(args, process.argv[1] ?? 'rawmount')
} catch (error) {
  reportError(error)
  process.exitCode = 1
}
