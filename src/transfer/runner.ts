/** What somebody was doing: asking where the data lies, or moving it. */
export type Phase = 'mapping' | 'reading'

/** The work of one thread. */
export interface Runner {
  /** Of the last step; for who gets its error. */
  readonly phase: Phase
  /** Does the next piece; false when none is left. Throws what the storage throws. */
  step(): boolean
}
