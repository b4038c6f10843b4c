import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { DashboardData, MountReader } from '../../src/dashboard/mount-reader.js'
import { DashboardServer } from '../../src/dashboard/server.js'

const DATA: DashboardData = {
  time: 1,
  mountpoint: '/mnt/vm',
  state: 'well',
  status: { image: 'vm.qed' },
  map: null,
  latency: {},
}

/** A server over a mount that says DATA, with one folder: 'a'. */
async function serve(t: ExecutionContext): Promise<{ port: number; path: string }> {
  const reader = { read: async (folder: string) => (folder === '' || folder === 'a' ? DATA : null) }
  const server = await DashboardServer.start(reader as unknown as MountReader, 0)
  t.teardown(() => server.close())
  const { port, pathname } = new URL(server.url)
  return { port: Number(port), path: pathname }
}

interface Answer {
  readonly code: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

/** Without any of what a client library would make good by itself. */
function ask(port: number, path: string, options: { method?: string; host?: string } = {}): Promise<Answer> {
  const { method = 'GET', host = `127.0.0.1:${port}` } = options
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers: { host } }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', text => {
        body += text
      })
      response.on('end', () => resolve({ code: response.statusCode!, headers: response.headers, body }))
    })
    asked.on('error', reject).end()
  })
}

test('the page and its data are there for who has the token', async t => {
  const { port, path } = await serve(t)
  const page = await ask(port, path)
  t.is(page.code, 200)
  t.is(page.headers['content-type'], 'text/html; charset=utf-8')
  for (const [, name] of page.body.matchAll(/(?:src|href)="([\w.]+)"/g))
    t.is((await ask(port, path + name)).code, 200, name)
  t.is((await ask(port, path, { host: `localhost:${port}` })).code, 200)
  for (const query of ['', '?folder=', '?folder=a']) {
    const { code, body } = await ask(port, `${path}data${query}`)
    t.is(code, 200)
    t.deepEqual(JSON.parse(body), DATA)
  }
  t.is((await ask(port, `${path}data?folder=..`)).code, 404)
})

test('without the token there is nothing', async t => {
  const { port, path } = await serve(t)
  t.true(path.length >= 32)
  const wrong = `/${path.slice(2, -1)}A/`
  const cases = ['/', '/data', '/main.js', '//', wrong, `${wrong}data`, path.slice(0, -2), `/x${path}`]
  for (const without of cases) t.is((await ask(port, without)).code, 404, without)
})

test('a request for another host is refused, token or not', async t => {
  const { port, path } = await serve(t)
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    `127.0.0.1.evil.example:${port}`,
  ]) {
    const { code, body } = await ask(port, `${path}data`, { host })
    t.is(code, 403, host)
    t.false(body.includes('vm.qed'))
  }
})

test('it can only be looked at', async t => {
  const { port, path } = await serve(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS']) {
    const { code, headers } = await ask(port, `${path}data`, { method })
    t.is(code, 405, method)
    t.is(headers.allow, 'GET')
  }
})

test('no file but those of the page can be asked for', async t => {
  const { port, path } = await serve(t)
  const names = [
    '../server.js',
    '..%2fserver.js',
    '../../../package.json',
    'toString',
    '__proto__',
    'index.htm',
  ]
  for (const name of names) t.is((await ask(port, path + name)).code, 404, name)
})

test('browsers are told to load nothing else, to keep nothing, and to tell nobody the address', async t => {
  const { port, path } = await serve(t)
  for (const name of ['', 'main.js', 'data', 'no']) {
    const { headers } = await ask(port, path + name)
    t.regex(`${headers['content-security-policy']}`, /^default-src 'none'; script-src 'self'; /)
    t.notRegex(`${headers['content-security-policy']}`, /unsafe|\*|http|data:/)
    t.is(headers['cache-control'], 'no-store')
    t.is(headers['referrer-policy'], 'no-referrer')
    t.is(headers['x-content-type-options'], 'nosniff')
    t.is(headers['access-control-allow-origin'], undefined)
  }
})

test('each start has a token of its own, and a port that is in use is told', async t => {
  const [one, other] = [await serve(t), await serve(t)]
  t.not(one.path, other.path)
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await new Promise(resolve => taken.once('listening', resolve))
  const { port } = taken.address() as AddressInfo
  await t.throwsAsync(DashboardServer.start({} as MountReader, port), {
    message: `port ${port}: is in use: take another, or leave out --port`,
  })
})
