import type { Disk } from '../../disk/disk.js'
import { ImageError } from '../../errors.js'
import { hideCredentials } from '../../storage/http/url.js'
import { tracer } from '../../trace.js'
import type { ImageRequest } from '../image-request.js'
import type { MountOptions } from '../options.js'
import type { FailedImage } from '../status/status.js'
import type { ServedDescription } from '../tree/mounted-tree.js'
import { ServedImage } from './served-image.js'

const debug = tracer('mount')

/** The open images of a mount; belongs to the main thread. */
export class ServedImages {
  private died: Error | null = null

  /**
   * Where there are `several`, one that cannot be opened does not hinder the others. Throws ImageError, with nothing left
   * open, when none can.
   */
  static open(requests: readonly ImageRequest[], several: boolean, options: MountOptions): ServedImages {
    const opened = new Map<ImageRequest, ServedImage>()
    const failed: FailedImage[] = []
    try {
      for (const request of writersFirst(requests)) {
        try {
          opened.set(request, ServedImage.open(request, options))
        } catch (error) {
          if (!several || !(error instanceof ImageError)) throw error
          debug('%O', error)
          failed.push({ image: hideCredentials(request.path), reason: error.message })
        }
      }
      if (opened.size === 0) throw noneOpened(failed)
    } catch (error) {
      for (const image of opened.values()) image.abandon()
      throw error
    }
    return new ServedImages(
      requests.flatMap(request => opened.get(request) ?? []),
      failed,
    )
  }

  private constructor(
    private readonly images: readonly ServedImage[],
    readonly failed: readonly FailedImage[],
  ) {}

  get disks(): Disk[] {
    return this.images.map(image => image.disk)
  }

  /** What the user must know, a line each. */
  get warnings(): string[] {
    return [
      ...this.failed.map(({ reason }) => `left out: ${reason}`),
      ...this.images.flatMap(image => image.warnings),
    ]
  }

  /** `counters` makes those of one image. */
  describe(counters: () => SharedArrayBuffer | null): ServedDescription[] {
    return this.images.map(({ description }) => ({ ...description, counters: counters() }))
  }

  /** When the mount answers. `abort` is to fail every request: one of the threads died that may have held a lock. */
  start(commitInterval: number, report: (line: string) => void, abort: () => void): void {
    for (const image of this.images) {
      image.start(commitInterval, this.images.length > 1, report, error => {
        this.died = error
        abort()
      })
    }
  }

  /** When the last request was served, and what the serving `died` of: returns the exit code. */
  async end(died: Error | null, report: (line: string) => void): Promise<number> {
    const cause = died ?? this.died
    if (cause !== null) {
      report(`serving ended with an error: ${cause.message}; what is mounted is as of the last flush`)
      debug('%O', cause)
    }
    const whole = await Promise.all(this.images.map(image => image.end(cause, report)))
    return whole.every(Boolean) ? 0 : 1
  }

  /** When nobody has asked for a byte yet. */
  abandon(): void {
    for (const image of this.images) image.abandon()
  }
}

/** An image that is only read leaves room for others; one that is written needs its file for itself. */
function writersFirst(requests: readonly ImageRequest[]): ImageRequest[] {
  return requests.toSorted((one, other) => Number(one.readOnly) - Number(other.readOnly))
}

function noneOpened(failed: readonly FailedImage[]): ImageError {
  const [first] = failed
  if (failed.length === 1) return new ImageError('MOUNT', first!.reason)
  return new ImageError('MOUNT', `none of ${failed.length} images can be opened; the first: ${first!.reason}`)
}
