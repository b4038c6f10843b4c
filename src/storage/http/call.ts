import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, get as httpsGet } from 'node:https'
import { closedEarly, silent, Trouble, troubleOf } from './trouble.js'

/** Connections to one server, at most; they are kept for the next request. */
const CONNECTIONS = 32
const OPTIONS = { keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'lifo' } as const

/** The agents are this program's own: nothing that the environment says about proxies reaches them. */
const httpAgent = new HttpAgent(OPTIONS)
const httpsAgent = new HttpsAgent(OPTIONS)

export function closeConnections(): void {
  httpAgent.destroy()
  httpsAgent.destroy()
}

export interface Call {
  readonly url: URL
  /** User name and password go to this origin only, not to where it redirects. */
  readonly credentials: { readonly origin: string; readonly text: string } | null
  readonly first: number
  readonly last: number
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds without a byte of the server. */
  readonly silence: number
  /** In milliseconds since 1970. */
  readonly deadline: number
  readonly signal: AbortSignal
  /** Looks at the head of an answer that is no redirect; returns how many bytes must follow. Throws Trouble. */
  head(answer: IncomingMessage): number
  /** In their order; never more than head() said. */
  body(bytes: Uint8Array): void
}

/** One request, one answer. Resolves with where a redirect leads to, null after the last byte; rejects with Trouble. */
export function call(request: Call): Promise<string | null> {
  const { url, credentials, first, last, signal, silence } = request
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:'
    const client = (secure ? httpsGet : httpGet)({
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port,
      path: url.pathname + url.search,
      auth: credentials?.origin === url.origin ? credentials.text : null,
      agent: secure ? httpsAgent : httpAgent,
      headers: { ...request.headers, Range: `bytes=${first}-${last}`, 'Accept-Encoding': 'identity' },
      signal,
    })
    const left = Math.max(1, request.deadline - Date.now())
    const quiet = setTimeout(() => fail(silent(silence)), Math.min(silence, left))
    const late = setTimeout(() => fail(silent(left)), left)
    let isOver = false
    const end = (): void => {
      isOver = true
      clearTimeout(quiet)
      clearTimeout(late)
    }
    const fail = (error: Error): void => {
      if (isOver) return
      end()
      client.destroy()
      reject(signal.aborted ? closed() : troubleOf(error))
    }
    client.on('error', error => {
      // The server closed a connection that was kept, in the very moment of this request: that says nothing about it.
      const stale = client.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
      fail(stale ? new StaleConnection() : error)
    })
    client.on('response', answer => {
      quiet.refresh()
      try {
        const target = redirectOf(answer)
        if (target !== null) {
          end()
          client.destroy()
          resolve(target)
          return
        }
        receive(answer, request.head(answer))
      } catch (error) {
        fail(error as Error)
      }
    })

    const receive = (answer: IncomingMessage, wanted: number): void => {
      let got = 0
      answer.on('data', (bytes: Uint8Array) => {
        quiet.refresh()
        got += bytes.length
        if (got > wanted) fail(tooMuch(wanted))
        else if (!isOver) request.body(bytes)
      })
      answer.on('error', () => fail(closedEarly(got, wanted)))
      answer.on('close', () => fail(closedEarly(got, wanted)))
      answer.on('end', () => {
        if (!answer.complete || got < wanted) return fail(closedEarly(got, wanted))
        end()
        resolve(null)
      })
    }
  })
}

/** To be tried again at once. */
export class StaleConnection extends Trouble {
  constructor() {
    super('the server closed the connection', 'look into its log', { passes: true })
  }
}

export function closed(): Trouble {
  return new Trouble('was closed', 'open it again')
}

function redirectOf({ statusCode = 0, headers }: IncomingMessage): string | null {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return null
  if (headers.location !== undefined) return headers.location
  throw new Trouble(`the server answers ${statusCode} without saying where to look`, 'look into its log')
}

function tooMuch(wanted: number): Trouble {
  return new Trouble(
    `the server sends more than the ${wanted} bytes that it announced`,
    'look whether it, or a proxy before it, is broken',
  )
}
