/**
 * How long random tests search. The normal run does a fixed number of cases, so that it is the same on a slow machine;
 * with RAWMOUNT_TEST_SECONDS (npm run test:long) each campaign goes on for that time.
 */
export class Budget {
  private readonly deadline: number | null
  private done = 0

  constructor(private readonly cases: number) {
    const seconds = Number(process.env.RAWMOUNT_TEST_SECONDS ?? 0)
    this.deadline = seconds > 0 ? Date.now() + seconds * 1000 : null
  }

  /** True while another case is to be run. */
  next(): boolean {
    const more = this.done < this.cases || (this.deadline !== null && Date.now() < this.deadline)
    if (more) this.done++
    return more
  }
}

/** True in the long run, where tests may also try all of what they else sample. */
export const isLongRun = process.env.RAWMOUNT_TEST_SECONDS !== undefined
