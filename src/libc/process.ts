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
