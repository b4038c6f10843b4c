/** Who is measured. `bare` is no way to use an image: a loop of the system calls that the work cannot do without. */
export type ContenderId =
  | 'raw'
  | 'bare'
  | 'qemu'
  | 'rawmount'
  | 'libfuse'
  | 'qcow2'
  | 'qed'
  | 'fvd-flat'
  | 'fvd-compact'

export const LABELS: Readonly<Record<ContenderId, string>> = {
  raw: 'raw file',
  bare: 'bare loop',
  qemu: 'QEMU',
  rawmount: 'rawmount',
  libfuse: 'libfuse',
  qcow2: 'QEMU qcow2',
  qed: 'QED',
  'fvd-flat': 'FVD flat',
  'fvd-compact': 'FVD compact',
}

/** The images that a contender takes. */
export interface ImageKind {
  readonly format: 'qed' | 'raw' | 'qcow2' | 'fvd'
  readonly maker: 'qemu-img' | 'rawmount'
  /** For -o, where they are made with other than the defaults. */
  readonly options?: string
  /** Bytes of the disk that the smallest write on a backing file puts into the image. */
  readonly grain: number
}

/** A way to get at the disk in an image. */
export interface Contender extends ImageKind {
  readonly id: ContenderId
  /** O_DIRECT where a workload asks for it; see raw-file.ts for who does not. */
  readonly direct: boolean
  /** The command, with IMAGE and PLACE for the paths. */
  readonly commandLine: string
  /** Serves an image at a path that does not exist yet. What it makes is removed by stop(). */
  serve(image: string, place: string): Promise<Served>
}

export interface Served {
  /** The disk, as a file. */
  readonly path: string
  /** Who serves it; null: the kernel alone. */
  readonly pid: number | null
  /** Seconds from the command's start until it returned, the disk being there. */
  readonly startTime: number
  /** Returns when the image is closed. */
  stop(): Promise<void>
}
