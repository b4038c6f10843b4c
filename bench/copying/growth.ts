import { statSync } from 'node:fs'
import { now } from './clock.js'

/** How much of an image file was stored, and when. */
export interface GrowthSample {
  /** Milliseconds. */
  readonly at: number
  /** Bytes that the file takes on its file system. */
  readonly stored: number
}

const EVERY = 50

/** Looks at an image file again and again, which asks nothing of who serves it: every format is seen alike. */
export class Growth {
  private readonly samples: GrowthSample[] = []
  private readonly timer: NodeJS.Timeout

  constructor(private readonly image: string) {
    this.look()
    this.timer = setInterval(() => this.look(), EVERY)
  }

  stop(): void {
    clearInterval(this.timer)
    this.look()
  }

  /** What was added to the file since the first look; milliseconds from `began` on. */
  since(began: number): readonly GrowthSample[] {
    const { stored: before } = this.samples[0]!
    return this.samples.map(({ at, stored }) => ({ at: Math.round(at - began), stored: stored - before }))
  }

  private look(): void {
    this.samples.push({ at: now(), stored: statSync(this.image).blocks * 512 })
  }
}
