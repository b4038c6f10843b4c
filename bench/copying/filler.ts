/** Who is measured: a way to use a new image over a base that is slow, and may fill the image from it. */

export type FillerId =
  | 'nothing'
  | 'copy-on-read'
  | 'prefetch'
  | 'profile'
  | 'qemu-nothing'
  | 'qemu-copy-on-read'
  | 'qemu-stream'

export interface Filler {
  readonly id: FillerId
  readonly label: string
  /** The command, with IMAGE, PLACE and PROFILE for the paths. */
  readonly commandLine: string
  /** Whether it fetches by itself what nobody reads. */
  readonly fetches: boolean
  /** A new image with nothing in it, over a raw base. */
  create(image: string, base: string): Promise<void>
  /** Serves an image at a path that does not exist yet. */
  serve(image: string, place: string, files: FillerFiles): Promise<Filling>
}

export interface FillerFiles {
  /** Recorded before; what the fillers without a profile do not look at. */
  readonly profile: string
}

export interface Filling {
  /** The disk, as a file. */
  readonly path: string
  /** Whether everything is in the image. */
  isComplete(): Promise<boolean>
  stop(): Promise<void>
}
