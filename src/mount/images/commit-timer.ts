import type { Disk } from '../../disk/disk.js'
import { tracer } from '../../trace.js'

const debug = tracer('mount')

/**
 * Flushes every `seconds` if anything was written, so that a power cut costs at most that much of what nobody flushed;
 * once more when a period passed without writes, which lets the format note in its header that it is at rest.
 */
export class CommitTimer {
  private readonly timer: NodeJS.Timeout
  private commitsSeen = 0
  private failed = false

  constructor(
    private readonly disk: Disk,
    seconds: number,
    private readonly report: (line: string) => void,
  ) {
    this.timer = setInterval(() => this.tick(), seconds * 1000)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private tick(): void {
    const { disk } = this
    const busy = disk.needsFlush
    if (!busy && disk.commits === this.commitsSeen) return
    try {
      disk.flush()
      // The commit that found nothing to do is the last one until something is.
      if (!busy) this.commitsSeen = disk.commits
      this.failed = false
    } catch (error) {
      debug('%O', error)
      if (!this.failed) this.report(`commit failed: ${(error as Error).message}`)
      this.failed = true
    }
  }
}
