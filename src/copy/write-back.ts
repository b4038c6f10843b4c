import { Worker } from 'node:worker_threads'
import type { OpenImage } from '../disk/open.js'
import type { WriteBackMessage } from './write-back-thread.js'

/** Milliseconds for which stop() waits for a push that is under way. */
const ENDING = 10_000

/**
 * Keeps the thread that brings the base of an image in writeback mode up to date. Belongs to the thread that opened the
 * image. stop() comes before the image is closed, which writes what is left.
 */
export class WriteBack {
  /** Resolves, with the error, only if the thread fails: it may have held locks. */
  readonly died: Promise<Error>
  private readonly thread: Worker
  private readonly ended: Promise<unknown>

  /** Null where nothing is written back later. `report` gets a line when the base fails, and when it works again. */
  static for(image: OpenImage, report: (line: string) => void): WriteBack | null {
    return image.disk.baseWriter?.mode === 'writeback' ? new WriteBack(image, report) : null
  }

  private constructor(
    private readonly image: OpenImage,
    report: (line: string) => void,
  ) {
    const workerData = image.disk.describe()
    const { path } = image.disk.baseWriter!
    this.thread = new Worker(new URL('./write-back-thread.js', import.meta.url), { workerData })
    this.thread.on('message', (message: WriteBackMessage) => {
      report(
        message === 'recovered'
          ? `${path}: has got everything that was written meanwhile`
          : `${path}: is behind the image, and is tried again: ${message.failed}`,
      )
    })
    this.died = new Promise(resolve => this.thread.once('error', error => resolve(error as Error)))
    this.ended = new Promise(resolve => this.thread.once('exit', resolve))
    this.thread.unref()
  }

  /** Returns when nothing is being written back any more, or the base has not answered for some time. */
  async stop(): Promise<void> {
    this.image.disk.baseWriter!.bell.end()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise(resolve => {
      timer = setTimeout(resolve, ENDING)
    })
    await Promise.race([this.ended, late])
    clearTimeout(timer)
  }
}
