/** A range of the base, bytes. */
export interface ProfileEntry {
  readonly offset: number
  readonly length: number
}

/** Where an image keeps which ranges of its base were read first, in that order. */
export interface ProfileStore {
  /** How many entries there is room for; 0: the place that the header has for them cannot be used. */
  readonly capacity: number
  /** Throws ImageError CORRUPT for a profile that cannot be. */
  read(): readonly ProfileEntry[]
  /**
   * Replaces the profile; durable when it returns. A crash in between leaves the old one, the new one, or none. Ranges
   * lie within the base; what there is no room for is left out, from the end. Lengths may be rounded up.
   */
  write(entries: readonly ProfileEntry[]): void
}
