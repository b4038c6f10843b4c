/** What a file of the disk remembers between requests, in memory that all workers share. */
export interface FileCells {
  /** Access, modification and change: seconds and nanoseconds in turn. */
  readonly times: Float64Array
  /** One word: how many handles are open. */
  readonly handles: Int32Array
}

const TIMES = 6
export const FILE_CELLS_BYTES = TIMES * 8 + 8

/** `offset`: a multiple of 8. */
export function fileCells(memory: SharedArrayBuffer, offset = 0): FileCells {
  return {
    times: new Float64Array(memory, offset, TIMES),
    handles: new Int32Array(memory, offset + TIMES * 8, 1),
  }
}

/** `now`: milliseconds since the epoch. */
export function resetCells({ times, handles }: FileCells, now: number): void {
  for (let i = 0; i < TIMES; i += 2) {
    times[i] = Math.floor(now / 1000)
    times[i + 1] = (now % 1000) * 1e6
  }
  handles[0] = 0
}
