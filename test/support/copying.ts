import { Copier, IDLE } from '../../src/copy/copier.js'
import { PrefetchProgress } from '../../src/copy/prefetch-progress.js'
import { Throttle } from '../../src/copy/throttle.js'
import type { CopyRequest } from '../../src/disk/copying.js'
import type { OpenImage } from '../../src/disk/open.js'
import type { ProfileEntry } from '../../src/formats/profile.js'

/** Everything on, at once. */
export const COPY_ALL: CopyRequest = {
  copyOnRead: 'on',
  prefetch: 'on',
  prefetchRate: null,
  detach: true,
  recordProfile: false,
  prefetchProfile: 'off',
  writeBase: 'no',
  steady: true,
}

/** A copier of an open image that does its steps when it is told to, by a clock that goes on with its waits. */
export class TestCopier {
  readonly progress = new PrefetchProgress(PrefetchProgress.allocate())
  /** Milliseconds. */
  time = 1000
  private readonly copier: Copier

  constructor(image: OpenImage, profile: readonly ProfileEntry[] = []) {
    const { settings, detaches } = image.copying!
    const at = (delay: number | null) => (delay === null ? null : this.time + delay * 1000)
    const clock = () => this.time
    this.copier = new Copier(
      image.disk.copies!,
      this.progress,
      new Throttle(Throttle.allocate(), settings, clock, () => 0.5),
      {
        index: 0,
        settings,
        detaches,
        profile,
        profileAt: at(settings.profileDelay),
        allAt: at(settings.prefetchDelay),
      },
      clock,
      () => 0,
    )
    if (settings.prefetchDelay !== null || settings.profileDelay !== null) this.progress.enter('waiting')
  }

  /** Returns what step() did; the clock has waited as it asked. */
  step(): number {
    const wait = this.copier.step()
    if (wait > 0 && wait !== IDLE) this.time += wait
    return wait
  }

  steps(count: number): void {
    for (let n = 0; n < count; n++) this.step()
  }

  /** Until there is nothing to do, or it pauses. Throws when that does not come. */
  run(limit = 100_000): void {
    for (let n = 0; n < limit; n++) {
      const wait = this.copier.step()
      if (wait === IDLE || (wait > 1000 && this.progress.state === 'paused')) return
      this.time += wait
    }
    throw new Error(`still ${this.progress.state} after ${limit} steps`)
  }
}
