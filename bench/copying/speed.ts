/** Of a base. */
export interface Speed {
  /** Bytes per second; null: as fast as it goes. */
  readonly rate: number | null
  /** Milliseconds that each request takes besides. */
  readonly latency: number
}

/** A file server that others use, too. */
export const SLOW: Speed = { rate: 100e6, latency: 2 }
export const FAST: Speed = { rate: null, latency: 0 }
