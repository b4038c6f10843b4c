import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import test from 'ava'

const ROOM = new URL('../../src/mount/daemon/last-resort.js', import.meta.url).href

// The worker waits in a read that nobody answers, as one that waits for requests: an orderly exit would wait for it.
const PROGRAM = `
  import { Worker } from 'node:worker_threads'
  import { dieOfUncaughtErrors } from '${ROOM}'
  dieOfUncaughtErrors(line => process.stderr.write(line))
  const worker = new Worker("require('node:fs').readSync(0, Buffer.alloc(1))", { eval: true })
  worker.on('online', () => { throw new Error('nobody catches me') })
`

test('an error that nobody caught ends the daemon at once, though its workers wait', async t => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], { stdio: 'pipe' })
  const stderr = text(child.stderr)
  const [, signal] = await once(child, 'close')
  t.is(signal, 'SIGKILL')
  t.regex(await stderr, /this is a bug in rawmount, please report it: Error: nobody catches me/)
})
