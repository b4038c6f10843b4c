import { setTimeout as sleep } from 'node:timers/promises'
import { tracer } from '../../trace.js'
import { checkFirst, checkNext, condition, type Pinned } from './answer.js'
import { type Call, call, closed, StaleConnection } from './call.js'
import type { Limits } from './limits.js'
import { Trouble } from './trouble.js'
import { printableUrl } from './url.js'

const debug = tracer('http')

const MAX_REDIRECTS = 5
/** Milliseconds. */
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 5000

type Body = Pick<Call, 'body' | 'head' | 'first' | 'last' | 'headers'>

/**
 * A file on a web server, as the HTTP thread knows it. What goes wrong and may pass is tried again, from the first byte
 * that is missing, with pauses that double; a change of the file never passes.
 */
export class RemoteFile {
  readonly printable: string
  private readonly abort = new AbortController()
  private readonly credentials: Call['credentials']
  private pinned: Pinned | null = null
  /** Where the redirects led to; asked directly as long as that works. */
  private location: URL

  constructor(
    private readonly url: URL,
    private readonly limits: Limits,
  ) {
    this.printable = printableUrl(url)
    const text = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    this.credentials = text === ':' ? null : { origin: url.origin, text }
    this.location = url
  }

  get size(): number {
    return this.pinned!.size
  }

  /** Reads the first `length` bytes, or all there are, and pins what the file is. Returns how many. */
  async open(length: number, target: Uint8Array): Promise<number> {
    let got = 0
    const { opening } = this.limits
    await this.trying(opening, opening, () => {
      got = 0
      return this.follow(opening, Date.now() + opening, {
        first: 0,
        last: length - 1,
        headers: {},
        head: answer => {
          const { pinned, length } = checkFirst(answer, target.length - 1)
          this.pinned = pinned
          return length
        },
        body: bytes => {
          target.set(bytes, got)
          got += bytes.length
        },
      })
    })
    return got
  }

  /** Fills `target` from `offset` on, which must lie within the size. */
  async read(offset: number, target: Uint8Array): Promise<void> {
    const pinned = this.pinned!
    const deadline = Date.now() + this.limits.total
    let got = 0
    await this.trying(
      this.limits.patience,
      this.limits.total,
      patience => {
        const first = offset + got
        const last = offset + target.length - 1
        return this.follow(patience, deadline, {
          first,
          last,
          headers: condition(pinned),
          head: answer => {
            checkNext(answer, pinned, first, last)
            return last - first + 1
          },
          body: bytes => {
            target.set(bytes, got)
            got += bytes.length
          },
        })
      },
      () => got,
    )
  }

  /** What is being read fails at once. */
  close(): void {
    this.abort.abort()
  }

  /**
   * Acts until it works. `patience`, `total`: milliseconds, the first counted from the last progress. Throws the Trouble
   * that does not pass, or did not in time.
   */
  private async trying(
    patience: number,
    total: number,
    act: (patience: number) => Promise<void>,
    progress: () => number = () => 0,
  ): Promise<void> {
    const started = Date.now()
    let since = started
    let pause = FIRST_PAUSE
    for (let tries = 1; ; tries++) {
      const before = progress()
      try {
        return await act(Math.min(since + patience, started + total) - Date.now())
      } catch (error) {
        if (this.abort.signal.aborted) throw closed()
        if (!(error instanceof Trouble && error.passes)) throw error
        debug('%s: %s, try %d', this.printable, error.fault, tries)
        if (error instanceof StaleConnection) continue
        if (progress() > before) {
          since = Date.now()
          pause = FIRST_PAUSE
        }
        const wait = Math.max(pause * (0.5 + Math.random() / 2), error.options.after ?? 0)
        if (Date.now() + wait >= Math.min(since + patience, started + total)) throw inVain(error, tries)
        await sleep(wait)
        if (this.abort.signal.aborted) throw closed()
        pause = Math.min(pause * 2, LONGEST_PAUSE)
      }
    }
  }

  private async follow(patience: number, deadline: number, body: Body): Promise<void> {
    const silence = Math.max(1, Math.min(this.limits.silence, patience))
    const common = { credentials: this.credentials, silence, deadline, signal: this.abort.signal, ...body }
    const direct = this.location !== this.url
    let url = this.location
    const seen = new Set([url.href])
    try {
      for (;;) {
        const target = await call({ ...common, url })
        if (target === null) break
        url = redirected(url, target)
        if (seen.has(url.href)) throw circle(url)
        seen.add(url.href)
        if (seen.size > MAX_REDIRECTS + 1) throw tooMany()
      }
      this.location = url
    } catch (error) {
      // The place may have been good for a while only, as signed addresses are: the next try starts at the front.
      this.location = this.url
      if (!direct || !(error instanceof Trouble) || error.passes) throw error
      debug('%s: %s; asking anew where it is', this.printable, error.fault)
      await this.follow(patience, deadline, body)
    }
  }
}

function redirected(from: URL, target: string): URL {
  if (!URL.canParse(target, from.href))
    throw new Trouble('the server redirects to no valid URL', 'look into its log')
  const url = new URL(target, from)
  url.hash = ''
  if (url.protocol === from.protocol || url.protocol === 'https:') return url
  throw new Trouble(
    `the server redirects to ${url.protocol} from ${from.protocol}`,
    'name the file by an address that does not',
  )
}

function circle(url: URL): Trouble {
  return new Trouble(`the server redirects in a circle, back to ${printableUrl(url)}`, 'look into its log')
}

function tooMany(): Trouble {
  return new Trouble(
    `the server redirects more than ${MAX_REDIRECTS} times`,
    'name the file by the address where it is',
  )
}

function inVain(trouble: Trouble, tries: number): Trouble {
  const fault = `${trouble.fault} (${tries === 1 ? 'one try' : `${tries} tries`})`
  return new Trouble(fault, trouble.step, { errno: trouble.errno })
}
