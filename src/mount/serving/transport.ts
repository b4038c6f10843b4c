/** A mount that is being served, whichever way. */
export interface Transport {
  readonly name: 'kernel' | 'libfuse'
  /** Takes the mount down; rejects with an ImageError of errno EBUSY when it is in use. `lazy`: when nobody uses it. */
  unmount(lazy: boolean): Promise<void>
  /** Everybody who waits on the mount gets an error, at once. */
  abort(): void
  /** Resolves when the last request was served: with null, or with the error that ended the serving. */
  readonly finished: Promise<Error | null>
}
