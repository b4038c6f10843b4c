/** Lines of each kind. */
const MOST_LINES = 200

/** What a check found, in order of importance, and how much of it. */
export class Findings {
  /** All of them can be mended. */
  corruptions = 0
  /** Failures of the check itself. */
  errors = 0
  private readonly failed: string[] = []
  private readonly corrupt: { readonly what: string; readonly mending: string }[] = []
  private readonly leaked: string[] = []
  private readonly notes: string[] = []

  /** `mending`: what a repair does about it, in the words of one who has done it. */
  corruption(what: string, mending: string): void {
    this.corruptions++
    if (this.corrupt.length < MOST_LINES) this.corrupt.push({ what, mending })
  }

  leak(what: string): void {
    if (this.leaked.length < MOST_LINES) this.leaked.push(`leaked: ${what}`)
  }

  /** What does no harm, and someone may want to know. */
  note(what: string): void {
    if (this.notes.length < MOST_LINES) this.notes.push(`note: ${what}`)
  }

  error(what: string): void {
    this.errors++
    if (this.failed.length < MOST_LINES) this.failed.push(what)
  }

  lines(mended: boolean): string[] {
    const corrupt = this.corrupt.map(({ what, mending }) => (mended ? `${what}; ${mending}` : what))
    return [...this.failed, ...corrupt, ...this.leaked, ...this.notes]
  }
}
