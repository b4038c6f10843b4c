/**
 * What must be undone however the run ends. Undone in reverse order, each once: whoever undoes a thing earlier calls
 * what add() returned.
 */
export class Cleanup {
  private readonly undos: (() => Promise<void>)[] = []

  add(undo: () => Promise<void>): () => Promise<void> {
    let done = false
    const once = async () => {
      if (done) return
      done = true
      this.undos.splice(this.undos.indexOf(once), 1)
      await undo()
    }
    this.undos.push(once)
    return once
  }

  /** Goes on past failures, and returns them. */
  async run(): Promise<Error[]> {
    const failures: Error[] = []
    for (let undo = this.undos.at(-1); undo !== undefined; undo = this.undos.at(-1)) {
      try {
        await undo()
      } catch (error) {
        failures.push(error as Error)
      }
    }
    return failures
  }
}
