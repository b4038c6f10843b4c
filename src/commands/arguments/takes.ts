/** What a shell offers for an operand or the value of an option. */
export interface Takes {
  readonly words?: readonly string[]
  /** "mounts": the mount points of rawmount. */
  readonly paths?: 'files' | 'directories' | 'mounts'
}

export const FILES: Takes = { paths: 'files' }
export const DIRECTORIES: Takes = { paths: 'directories' }
/** Of an image that is made. */
export const NEW_FORMATS: Takes = { words: ['fvd', 'qed', 'raw'] }
const NOTHING: Takes = {}

/** Most operands and values are what their name says, so that the table need not say it again. */
const BY_NAME: Readonly<Record<string, Takes>> = {
  FILE: FILES,
  IMAGE: FILES,
  SOURCE: FILES,
  TARGET: FILES,
  BASE: FILES,
  BACKING: FILES,
  OVERLAY: FILES,
  DIRECTORY: DIRECTORIES,
  MOUNTPOINT: { paths: 'mounts' },
  FORMAT: { words: ['fvd', 'qed', 'qcow2', 'raw'] },
}

export function takesByName(name: string): Takes {
  // FILE1 and IMAGE_A are of that kind, too.
  return BY_NAME[name] ?? BY_NAME[name.replace(/_?[A-Z\d]$/, '')] ?? NOTHING
}
