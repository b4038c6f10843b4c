#!/usr/bin/env node
import { reportError } from './display/report.js'
import { runProgram } from './program.js'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that went away (`… | head`) is no error of ours; the rest of the output has nowhere to go.
  if (error.code !== 'EPIPE') process.stderr.write(`rawmount: stdout: ${error.message}\n`)
  process.exit(1)
})

try {
  process.exitCode = await runProgram(process.argv.slice(2), process.argv[1] ?? 'rawmount')
} catch (error) {
  reportError(error)
  process.exitCode = 1
}
