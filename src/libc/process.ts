import { readU64 } from '../bytes.js'
import { IoBuffer } from './io-buffer.js'
import { declare } from './library.js'

const prctl = declare('int prctl(int option, ulong value, ulong unused3, ulong unused4, ulong unused5)')

/** From linux/prctl.h, since Linux 5.6. */
const PR_SET_IO_FLUSHER = 57

/**
 * Marks the calling thread, and those it starts, as one that memory reclaim waits for: its own allocations do not wait
 * for I/O that it would have to serve itself, and its writes are not throttled for dirty pages it is to clean. False
 * where that is not permitted (it takes CAP_SYS_RESOURCE) or not known.
 */
export function becomeIoFlusher(): boolean {
  return prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) === 0
}

const setpriority = declare('int setpriority(int which, int who, int nice)')
const PRIO_PROCESS = 0

/** Lets other threads come first; on Linux this is of the calling thread only. @see man 2 setpriority */
export function giveWay(): void {
  setpriority(PRIO_PROCESS, 0, NICE)
}

const NICE = 10

const clockGettime = declare('int clock_gettime(int clock, intptr_t time)')
const CLOCK_THREAD_CPUTIME_ID = 3
const timespec = new IoBuffer(16)

/** Milliseconds of processor time that the calling thread has had. */
export function threadTime(): number {
  clockGettime(CLOCK_THREAD_CPUTIME_ID, timespec.address)
  return readU64(timespec.view, 0) * 1000 + readU64(timespec.view, 8) / 1e6
}

const exit = declare('void _exit(int status)')

/**
 * Ends the process at once. Node's own exit waits for every thread, and one that hangs in a read of a dead file system
 * comes back when that does.
 */
export function exitNow(code: number): never {
  exit(code)
  throw new Error('_exit returned')
}
