import { once } from 'node:events'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { Scratch } from './mounting.js'
import { until } from './tools.js'

const FAULTY = fileURLToPath(new URL('./http-faulty-server.js', import.meta.url))

/** One request, as the server saw it. */
export interface Seen {
  /** As in "0-65535". */
  readonly range: string
  /** Of the client's end: the same for requests on one connection. */
  readonly connection: string
  readonly ifMatch: string
}

export interface FaultyServer {
  readonly port: number
  /** An address of its own for each call, as the server counts requests by address. */
  url(name: string): string
  seen(url: string): Promise<Seen[]>
  kill(): Promise<void>
}

/** The server of http-faulty-server.ts; it ends with the test. */
export async function faultyServer(work: Scratch, port = 0): Promise<FaultyServer> {
  const log = work.join('requests')
  await appendFile(log, '')
  const child = work.start(process.execPath, FAULTY, `${port}`, log)
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  const chosen = Number(line.toString())
  return {
    port: chosen,
    url: name => `http://127.0.0.1:${chosen}/${++addresses}/${name}`,
    async seen(url) {
      const { pathname } = new URL(url)
      const lines = (await readFile(log, 'utf8')).trimEnd().split('\n')
      return lines.flatMap(text => {
        const [path = '', range = '', connection = '', ifMatch = ''] = text.split(' ')
        return path === pathname ? [{ range, connection, ifMatch }] : []
      })
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

let addresses = 0

/** nginx with the files of `root`. */
export class Nginx {
  private child: ReturnType<Scratch['start']> | null = null

  private constructor(
    private readonly work: Scratch,
    readonly root: string,
    readonly port: number,
    private readonly scheme: string,
  ) {}

  /** `tls`: files of a certificate and its key. */
  static async start(
    work: Scratch,
    t: ExecutionContext,
    tls: { certificate: string; key: string } | null = null,
  ): Promise<Nginx> {
    const root = work.join('www')
    await mkdir(root, { recursive: true })
    const server = new Nginx(work, root, await freePort(), tls === null ? 'http' : 'https')
    t.teardown(() => server.kill())
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const secure = tls === null ? '' : `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key};`
    await writeFile(
      work.join('nginx.conf'),
      `daemon off; worker_processes 1; pid ${work.join('nginx.pid')}; error_log ${work.join('error.log')};
      ${process.getuid!() === 0 ? 'user root;' : ''}
      events {}
      http {
        log_format requests '$status $http_range $body_bytes_sent $connection';
        access_log ${work.join('access.log')} requests;
        ${temporary.map(name => `${name}_temp_path ${work.join(`nginx-${name}`)};`).join('\n')}
        server { listen 127.0.0.1:${server.port}${tls === null ? '' : ' ssl'}; root ${root}; ${secure}
          location /down { return 302 http://127.0.0.1:1/x; } }
      }`,
    )
    await server.run()
    return server
  }

  url(name: string): string {
    return `${this.scheme}://127.0.0.1:${this.port}/${name}`
  }

  /** Starts it again after kill(). */
  async run(): Promise<void> {
    this.child = this.work.start(
      'nginx',
      '-c',
      this.work.join('nginx.conf'),
      '-e',
      this.work.join('error.log'),
    )
    await until(() => accepts(this.port))
  }

  async kill(): Promise<void> {
    const { child } = this
    if (child === null || child.exitCode !== null) return
    const exited = once(child, 'exit')
    // Its worker ends with it.
    child.kill('SIGTERM')
    await exited
  }

  /** One for each request, when it was answered. */
  async log(): Promise<{ status: number; range: string; bytes: number; connection: string }[]> {
    const text = await readFile(this.work.join('access.log'), 'utf8')
    return text
      .split('\n')
      .filter(line => line !== '')
      .map(line => {
        const [status, range = '', bytes, connection = ''] = line.split(' ')
        return { status: Number(status), range, bytes: Number(bytes), connection }
      })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import('node:net')
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
