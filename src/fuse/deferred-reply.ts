/**
 * A FSYNC or FLUSH that is answered by the invalidator (invalidator.ts); a plain object, as it crosses threads.
 * The unique number is handed on in halves, as it stands in the request.
 */
export interface DeferredReply {
  readonly inode: number
  /** The descriptor that the request came from, and must be answered on. */
  readonly descriptor: number
  readonly uniqueLow: number
  readonly uniqueHigh: number
}
