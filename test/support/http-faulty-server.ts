import { appendFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pattern } from './pattern.js'

/**
 * A web server that does what its path says, in a process of its own, as the tests sleep while they read:
 *
 *   node http-faulty-server.js PORT LOG      PORT 0: any, which is printed; LOG gets a line for each request
 *
 * All files but the empty one have the same bytes; see http-servers.ts.
 */
export const FILE_SIZE = 3 * (1 << 20) + 123
const ETAG = '"one"'
const MODIFIED = 'Tue, 01 Jul 2025 10:00:00 GMT'

const [port, log] = process.argv.slice(2) as [string, string]
const file = Buffer.from(pattern(0, FILE_SIZE, 1, 1))
const asked = new Map<string, number>()

type Act = (answer: ServerResponse, range: Range, count: number, request: IncomingMessage) => void

interface Range {
  readonly first: number
  readonly last: number
}

function part(
  answer: ServerResponse,
  { first, last }: Range,
  headers: Record<string, string | null> = {},
): void {
  const all: Record<string, string | null> = {
    'Content-Range': `bytes ${first}-${last}/${FILE_SIZE}`,
    'Content-Length': `${last + 1 - first}`,
    ETag: ETAG,
    'Last-Modified': MODIFIED,
    ...headers,
  }
  answer.writeHead(
    206,
    Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as never,
  )
  answer.end(file.subarray(first, last + 1))
}

function cut(answer: ServerResponse, { first, last }: Range, bytes: number): void {
  answer.writeHead(206, {
    'Content-Range': `bytes ${first}-${last}/${FILE_SIZE}`,
    'Content-Length': `${last + 1 - first}`,
    ETag: ETAG,
  })
  answer.write(file.subarray(first, first + bytes), () => setTimeout(() => answer.destroy(), 20))
}

const status =
  (code: number, headers: Record<string, string> = {}): Act =>
  answer =>
    answer.writeHead(code, headers).end('no')

/** The first request is answered well: that is the open. */
const afterOpen =
  (act: Act): Act =>
  (answer, range, count, request) =>
    count === 1 ? part(answer, range) : act(answer, range, count, request)

const ACTS: Record<string, Act> = {
  good: (answer, range) => part(answer, range),
  empty: answer => answer.writeHead(416, { 'Content-Range': 'bytes */0', ETag: ETAG }).end(),
  'busy-twice': (answer, range, count) =>
    count < 3 ? status(503)(answer, range, count, null as never) : part(answer, range),
  'busy-later': afterOpen((answer, range, count) =>
    count < 4 ? answer.writeHead(count === 2 ? 429 : 502, { 'Retry-After': '0' }).end() : part(answer, range),
  ),
  'broken-later': afterOpen(status(500)),
  'reset-later': afterOpen((answer, range, count) =>
    count < 4 ? answer.socket!.resetAndDestroy() : part(answer, range),
  ),
  'cut-short': afterOpen((answer, range) =>
    range.last - range.first < 400_000 ? part(answer, range) : cut(answer, range, 300_000),
  ),
  'cut-always': afterOpen((answer, range) => cut(answer, range, 0)),
  whole: answer => answer.writeHead(200, { 'Content-Length': FILE_SIZE, ETag: ETAG }).end(file),
  'whole-later': afterOpen(answer =>
    answer.writeHead(200, { 'Content-Length': FILE_SIZE, ETag: ETAG, 'Last-Modified': MODIFIED }).end(file),
  ),
  'other-bytes': afterOpen((answer, { first, last }) =>
    part(answer, { first: first - 512, last: last - 512 }),
  ),
  'no-range': (answer, range) => part(answer, range, { 'Content-Range': null }),
  'unknown-size': (answer, range) => part(answer, range, { 'Content-Range': `bytes 0-${range.last}/*` }),
  'wrong-length': afterOpen((answer, { first, last }) => {
    answer.writeHead(206, {
      'Content-Range': `bytes ${first}-${last}/${FILE_SIZE}`,
      'Content-Length': '100',
      ETag: ETAG,
    })
    answer.end(file.subarray(first, first + 100))
  }),
  'too-much': afterOpen((answer, range) => {
    answer.writeHead(206, { 'Content-Range': `bytes ${range.first}-${range.last}/${FILE_SIZE}`, ETag: ETAG })
    answer.end(Buffer.concat([file.subarray(range.first, range.last + 1), Buffer.from('more')]))
  }),
  garbage: answer => answer.socket!.end('220 ftp.example.org ready\r\n'),
  gzip: (answer, range) => part(answer, range, { 'Content-Encoding': 'gzip' }),
  'no-validator': (answer, range) => part(answer, range, { ETag: null, 'Last-Modified': null }),
  'only-modified': (answer, range) => part(answer, range, { ETag: null }),
  unauthorized: status(401, { 'WWW-Authenticate': 'Basic' }),
  forbidden: status(403),
  missing: status(404),
  teapot: status(418),
  'circle-a': status(302, { Location: 'circle-b' }),
  'circle-b': status(302, { Location: 'circle-a' }),
  redirect: status(301, { Location: 'good' }),
  signed: (answer, _range, count) => answer.writeHead(307, { Location: `expiring?${count}` }).end(),
  expiring: (answer, range, count) =>
    count === 2 ? status(403)(answer, range, 0, null as never) : part(answer, range),
  'to-ftp': status(302, { Location: 'ftp://example.org/file' }),
  nowhere: status(302),
  // The same server, by another name.
  away: (answer, _range, _count, request) =>
    answer.writeHead(302, { Location: `http://localhost:${request.socket.localPort}/private` }).end(),
  'back-home': status(302, { Location: 'private' }),
  'changed-honest': afterOpen(status(412)),
  'changed-quietly': afterOpen((answer, range) => part(answer, range, { ETag: '"two"' })),
  'changed-unmarked': afterOpen((answer, range) => part(answer, range, { ETag: null })),
  'changed-whole': afterOpen(answer => answer.writeHead(200, { ETag: '"two"' }).end(file)),
  'changed-time': (answer, range, count) =>
    part(answer, range, {
      ETag: null,
      ...(count > 1 && { 'Last-Modified': 'Wed, 02 Jul 2025 10:00:00 GMT' }),
    }),
  longer: afterOpen((answer, range) =>
    part(answer, range, { 'Content-Range': `bytes ${range.first}-${range.last}/${FILE_SIZE + 1}` }),
  ),
  'hangs-later': afterOpen(() => {}),
  'hangs-in-the-middle': afterOpen((answer, { first, last }, count) => {
    if (count > 2) return
    answer.writeHead(206, { 'Content-Range': `bytes ${first}-${last}/${FILE_SIZE}`, ETag: ETAG })
    answer.write(file.subarray(first, first + 1000))
  }),
  private: (answer, range, count, request) =>
    request.headers.authorization === `Basic ${Buffer.from('user:p@ss').toString('base64')}`
      ? part(answer, range)
      : status(401)(answer, range, count, request),
}

for (let i = 0; i < 8; i++) ACTS[`hop-${i}`] = status(302, { Location: i === 7 ? 'good' : `hop-${i + 1}` })

const server = createServer((request, answer) => {
  const name = request.url!.split('?')[0]!.split('/').at(-1)!
  const [, first = '', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const range = { first: Number(first), last: Math.min(Number(last), FILE_SIZE - 1) }
  const { pathname } = new URL(request.url!, 'http://host')
  const count = (asked.get(pathname) ?? 0) + 1
  asked.set(pathname, count)
  appendFileSync(
    log,
    `${pathname} ${first}-${last} ${request.socket.remotePort} ${request.headers['if-match'] ?? ''}\n`,
  )
  const act = ACTS[name] ?? status(404)
  act(answer, range, count, request)
})
// A test that forgot it does not leave it behind.
process.stdin.on('end', () => process.exit()).resume()
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as { port: number }).port}\n`)
})
