import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ImageError } from '../errors.js'
import type { MountReader } from './mount-reader.js'
import { pageFile } from './page-files.js'
import { Token } from './token.js'

/**
 * Serves the page and what it shows, to this machine only. Who may look is decided by three things, as every user and every
 * web page that a browser of this machine shows can reach the port:
 *
 *   token    the first part of each path, made anew at each start; without it everything is 404
 *   Host     must be this address: a name that an attacker lets point here (DNS rebinding) is refused
 *   policy   the page loads nothing from elsewhere and runs no script but its own, so that no name in it becomes one;
 *            no other page may frame it or read from it
 *
 * It only reads: nothing but GET is answered.
 */
export class DashboardServer {
  private readonly token = new Token()
  private readonly server: Server
  private hosts: readonly string[] = []

  private constructor(private readonly mount: MountReader) {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(error => response.destroy(error as Error))
    })
    this.server.maxConnections = MOST_CONNECTIONS
  }

  /** `port`: 0 for any that is free. Throws ImageError when it is not to be had. */
  static async start(mount: MountReader, port: number): Promise<DashboardServer> {
    const dashboard = new DashboardServer(mount)
    const { server } = dashboard
    await new Promise<void>((resolve, reject) => {
      server.once('error', cause => {
        const what = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'is in use' : cause.message
        reject(
          new ImageError('INVALID', `port ${port}: ${what}: take another, or leave out --port`, { cause }),
        )
      })
      server.listen({ host: ADDRESS, port, exclusive: true }, resolve)
    })
    dashboard.hosts = [ADDRESS, 'localhost'].map(name => `${name}:${dashboard.port}`)
    return dashboard
  }

  get url(): string {
    return `http://${ADDRESS}:${this.port}/${this.token.text}/`
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const closed = new Promise(resolve => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    const refuse = (code: number, text: string) => {
      response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
    }
    // browsers send names in lower case
    if (!this.hosts.includes(request.headers.host ?? '')) return refuse(403, 'This is not the address of it.')
    const [path = '', query = ''] = (request.url ?? '').split('?', 2)
    const [, token = '', ...rest] = path.split('/')
    if (!this.token.is(token)) return refuse(404, 'Not found: the address needs the token that was printed.')
    if (request.method !== 'GET') {
      response.setHeader('Allow', 'GET')
      return refuse(405, 'It can only be looked at.')
    }
    const name = rest.join('/')
    if (name === 'data') return this.tell(query, response, refuse)
    const file = pageFile(name)
    if (file === null) return refuse(404, 'Not found.')
    response.writeHead(200, { 'Content-Type': file.type }).end(file.body)
  }

  private async tell(
    query: string,
    response: ServerResponse,
    refuse: (code: number, text: string) => void,
  ): Promise<void> {
    const data = await this.mount.read(new URLSearchParams(query).get('folder') ?? '')
    if (data === null) return refuse(404, 'There is no such image.')
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(data))
  }
}

const ADDRESS = '127.0.0.1'
const MOST_CONNECTIONS = 64

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
  // The address has the token in it.
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}
