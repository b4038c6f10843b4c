import { CopyEngine } from '../../copy/engine.js'
import { WriteBack } from '../../copy/write-back.js'
import { type OpenImage, type OpenImageOptions, openImage } from '../../disk/open.js'
import { ImageError } from '../../errors.js'
import { tracer } from '../../trace.js'
import type { ImageRequest } from '../image-request.js'
import type { MountOptions } from '../options.js'
import { WindowTable } from '../partition-files/window-table.js'
import { CellMap } from '../status/cell-map.js'
import { type ImageFacts, imageFacts } from '../status/image-status.js'
import type { ImageDescription } from '../tree/image-nodes.js'
import { CommitTimer } from './commit-timer.js'
import { type Overlay, overlayOf } from './overlay.js'

const debug = tracer('mount')

/** Who only looks at an image may do so beside others who do. */
function openNamed(path: string, options: OpenImageOptions): OpenImage {
  try {
    return openImage(path, options)
  } catch (error) {
    const isUsed = error instanceof ImageError && error.code === 'IN_USE' && options.writable
    if (!isUsed || !error.message.startsWith(`${path}: `)) throw error
    const { code, errno, message } = error
    throw new ImageError(code, `${message}, or mount with -r if that only reads`, { errno, cause: error })
  }
}

function openOver(over: Overlay | null, { path }: ImageRequest, options: OpenImageOptions): OpenImage {
  if (over === null) return openNamed(path, options)
  try {
    const image = openImage(over.path, options)
    over.opened()
    return image
  } catch (error) {
    over.failed()
    throw error
  }
}

/** An open image of a mount with all that works on it in the background; belongs to the main thread. */
export class ServedImage {
  private readonly engine: CopyEngine | null
  private writeBack: WriteBack | null = null
  private timer: CommitTimer | null = null
  /** For threads that serve it. */
  readonly description: ImageDescription

  /** Throws ImageError, with nothing left open. */
  static open(request: ImageRequest, options: MountOptions): ServedImage {
    const { overlay } = options
    const over = overlay === null ? null : overlayOf(request, overlay, options.backing)
    const image = openOver(over, request, {
      writable: !request.readOnly,
      format: over === null ? request.format : null,
      metadataCache: options.metadataCache,
      backing: options.backing,
      isOverlay: over !== null,
      allowDevices: options.allowDevices,
      allowStorageCommand: options.allowAddStorageCmd,
      copying: request.readOnly ? null : options.copying,
    })
    try {
      return new ServedImage(request, image, over && (overlay!.path === null ? 'temp' : over.path))
    } catch (error) {
      image.close()
      throw error
    }
  }

  private constructor(
    request: ImageRequest,
    private readonly image: OpenImage,
    overlay: string | null,
  ) {
    this.engine = CopyEngine.for(image)
    const facts: ImageFacts = imageFacts(request, image.chain, overlay)
    this.description = {
      name: request.name,
      facts,
      disk: image.disk.describe(),
      cells: CellMap.allocate(image.chain.length),
      windows: WindowTable.allocate(image.disk.size, Date.now()),
      copying: this.engine?.progress ?? null,
    }
  }

  /** What the user must know, a line each. */
  get warnings(): string[] {
    return [...this.image.warnings, ...(this.engine?.warnings ?? [])]
  }

  /** The disk, in the thread that opened it. */
  get disk() {
    return this.image.disk
  }

  /**
   * When the mount answers. `isOneOfMany`: threads are spared until they are needed. `failed` is called when a thread dies
   * that may have held a lock of the image.
   */
  start(
    commitInterval: number,
    isOneOfMany: boolean,
    report: (line: string) => void,
    failed: (error: Error) => void,
  ): void {
    this.engine?.start(isOneOfMany)
    this.engine?.died.then(failed)
    this.writeBack = WriteBack.for(this.image, report)
    this.writeBack?.died.then(failed)
    this.timer = new CommitTimer(this.disk, commitInterval, report)
  }

  /**
   * When no request will come any more. With what somebody `died` of, who may have held a lock, the image is left as of the
   * last commit, as after a power cut. Returns whether all is in the image; `report` was told if not.
   */
  async end(died: Error | null, report: (line: string) => void): Promise<boolean> {
    this.timer?.stop()
    await this.writeBack?.stop()
    await this.engine?.stop().catch(error => report((error as Error).message))
    try {
      if (died === null) this.image.close()
      else this.image.drop()
      return died === null
    } catch (error) {
      report((error as Error).message)
      debug('%O', error)
      return false
    }
  }

  /**
   * When nobody has asked for a byte yet: there is nothing to lose, but the image was marked as open. The user hears of what
   * made the mount fail; a mark that stays costs a check when the image is opened next.
   */
  abandon(): void {
    try {
      this.image.close()
    } catch (error) {
      debug('%O', error)
    }
  }
}
