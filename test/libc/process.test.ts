import { readFileSync } from 'node:fs'
import test from 'ava'
import { becomeIoFlusher } from '../../src/libc/process.js'

const PF_MEMALLOC_NOIO = 0x00080000

test('a thread that may become an I/O flusher does not wait for I/O when it allocates', t => {
  const became = becomeIoFlusher()
  // Field 9 of /proc/PID/stat, behind the name in brackets: the kernel's flags of the task.
  const stat = readFileSync(`/proc/self/stat`, 'utf8')
  const flags = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6])
  t.log(became ? 'permitted' : 'not permitted here: CAP_SYS_RESOURCE is missing')
  t.is((flags & PF_MEMALLOC_NOIO) !== 0, became)
})
