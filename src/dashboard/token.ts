import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** The secret in the address of a dashboard: every user of the machine can reach its port. */
export class Token {
  readonly text = randomBytes(24).toString('base64url')
  private readonly digest = digestOf(this.text)

  /** In a time that tells nothing of how much of it is right. */
  is(text: string): boolean {
    return timingSafeEqual(digestOf(text), this.digest)
  }
}

/** Of equal length, whatever was sent. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
