import type { IncomingHttpHeaders } from 'node:http'
import { errno } from '../../libc/errno.js'
import { Trouble } from './trouble.js'

/** The head of a server's answer. */
export interface Answer {
  readonly statusCode?: number | undefined
  readonly statusMessage?: string | undefined
  readonly headers: IncomingHttpHeaders
}

/** What a file was when it was opened; while it is, every answer is compared with this. */
export interface Pinned {
  readonly size: number
  readonly etag: string | null
  readonly lastModified: string | null
}

/** The answer to the first request, for bytes 0 to `last`. Returns what is pinned, and how many bytes follow. */
export function checkFirst(answer: Answer, last: number): { pinned: Pinned; length: number } {
  const { statusCode, headers } = answer
  if (statusCode === 416 && /^bytes \*\/0$/.test(headers['content-range'] ?? ''))
    return { pinned: pin(answer, 0), length: 0 }
  if (statusCode === 200 && headers['content-length'] === '0') return { pinned: pin(answer, 0), length: 0 }
  const range = checkPart(answer)
  const end = Math.min(last, range.size - 1)
  if (range.first !== 0 || range.last !== end) throw otherBytes(answer, `0-${end}`)
  checkLength(answer, end + 1)
  return { pinned: pin(answer, range.size), length: end + 1 }
}

/** The answer to a request for bytes `first` to `last` of a file that is open. Throws Trouble. */
export function checkNext(answer: Answer, pinned: Pinned, first: number, last: number): void {
  if (answer.statusCode === 412) throw changed('the server says so (412)')
  if (answer.statusCode === 416) throw changed('it has become shorter')
  // A whole file for an answer is told by what changed, if something has.
  if (answer.statusCode === 200) compare(answer, pinned)
  const range = checkPart(answer)
  if (range.size !== pinned.size) throw changed(`${pinned.size} bytes became ${range.size}`)
  compare(answer, pinned)
  if (range.first !== first || range.last !== last) throw otherBytes(answer, `${first}-${last}`)
  checkLength(answer, last - first + 1)
}

/** By what the server is told to answer only for the file as it was opened. */
export function condition({ etag, lastModified }: Pinned): Record<string, string> {
  if (etag?.startsWith('"')) return { 'If-Match': etag }
  return lastModified === null ? {} : { 'If-Unmodified-Since': lastModified }
}

function pin(answer: Answer, size: number): Pinned {
  const etag = answer.headers.etag ?? null
  const lastModified = answer.headers['last-modified'] ?? null
  if (etag === null && lastModified === null) {
    throw new Trouble(
      'the server gives neither ETag nor Last-Modified, so that a change of the file would go unnoticed',
      'make it give one of them',
    )
  }
  return { size, etag, lastModified }
}

function compare({ headers }: Answer, { etag, lastModified }: Pinned): void {
  if (etag !== null && headers.etag !== etag) throw changed(`ETag ${etag} became ${headers.etag ?? 'none'}`)
  // Servers that share an ETag which is strong need not share the time.
  if (etag?.startsWith('"')) return
  if (lastModified !== null && headers['last-modified'] !== lastModified)
    throw changed(`Last-Modified ${lastModified} became ${headers['last-modified'] ?? 'none'}`)
}

function checkPart(answer: Answer): { first: number; last: number; size: number } {
  const { statusCode = 0, statusMessage = '', headers } = answer
  if (statusCode !== 206) throw refused(statusCode, statusMessage, headers)
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new Trouble(
      `the server sends it encoded (Content-Encoding: ${encoding})`,
      'turn that off for this file',
    )
  }
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '')
  const [first, last, size] = (match ?? []).slice(1).map(Number)
  if (first === undefined || last === undefined || size === undefined || !Number.isSafeInteger(size)) {
    throw new Trouble(
      `the server does not say which bytes it sends (Content-Range: ${headers['content-range'] ?? 'none'})`,
      'look whether it, or a proxy before it, is broken',
    )
  }
  return { first, last, size }
}

function checkLength({ headers }: Answer, length: number): void {
  const said = headers['content-length']
  if (said === undefined || Number(said) === length) return
  throw new Trouble(
    `the server sends a wrong number of bytes (Content-Length ${said} for ${length} bytes)`,
    'look whether it, or a proxy before it, is broken',
  )
}

function otherBytes({ headers }: Answer, wanted: string): Trouble {
  return new Trouble(
    `the server sends other bytes than those that were asked for (${headers['content-range']} for ${wanted})`,
    'look whether it, or a proxy before it, is broken',
  )
}

export function changed(how: string): Trouble {
  return new Trouble(
    `has changed since it was opened: ${how}`,
    'a base must stay as it is: put the file back as it was',
  )
}

function refused(status: number, message: string, headers: IncomingHttpHeaders): Trouble {
  const said = `${status} ${message}`.trim()
  switch (status) {
    case 200:
      return new Trouble(
        'the server does not serve parts of a file: it sends the whole for a range',
        'turn range requests on there, or copy the file to this machine',
      )
    case 401:
      return new Trouble(
        `the server wants a user name and a password, or others (${said})`,
        'give them as http://USER:PASSWORD@HOST/PATH',
        { errno: errno.EACCES },
      )
    case 403:
      return new Trouble(`the server does not allow reading it (${said})`, 'have it allowed there', {
        errno: errno.EACCES,
      })
    case 404:
    case 410:
      return new Trouble(`does not exist on the server (${said})`, 'check the address', {
        errno: errno.ENOENT,
      })
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return new Trouble(`the server answers ${said}`, 'try again when it works', {
        passes: true,
        after: retryAfter(headers),
      })
    default:
      return new Trouble(`the server answers ${said} for a range of bytes`, 'look into its log')
  }
}

/** Milliseconds; a date, the other form, is not looked at. */
function retryAfter(headers: IncomingHttpHeaders): number {
  const text = headers['retry-after'] ?? ''
  return /^\d{1,6}$/.test(text) ? Number(text) * 1000 : 0
}
