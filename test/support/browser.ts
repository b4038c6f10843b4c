import type { ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import type { ExecutionContext } from 'ava'
import type { Scratch } from './mounting.js'
import { until } from './tools.js'

/**
 * A browser without a window, driven by the DevTools protocol over two pipes: messages are JSON with a zero byte behind
 * each. It keeps all it writes in the directory of the test, and ends with the test.
 */
export class Browser {
  private readonly waiting = new Map<number, (message: Message) => void>()
  private next = 1
  private session: string | undefined
  private ended = false
  /** What scripts of the page complained of, and what its policy kept from it. */
  readonly complaints: string[] = []

  private constructor(private readonly child: ChildProcess) {
    let rest = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop()!
      for (const message of messages) this.take(JSON.parse(message) as Message)
    })
    child.once('exit', () => {
      this.ended = true
    })
    // It is full of warnings about what a machine without a screen lacks.
    child.stderr!.resume()
  }

  static async start(t: ExecutionContext, work: Scratch): Promise<Browser> {
    const home = work.join('browser')
    await mkdir(home, { recursive: true })
    const options = `--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --hide-scrollbars --disable-background-networking --disable-component-update --user-data-dir='${home}' --remote-debugging-pipe`
    // The protocol has file descriptors of its own: 3 and 4.
    const script = `export HOME='${home}' XDG_CONFIG_HOME='${home}' XDG_CACHE_HOME='${home}' TMPDIR='${home}'; exec chromium ${options} about:blank 3<&0 4>&1 < /dev/null > /dev/null`
    const browser = new Browser(work.start('bash', '-c', script))
    t.teardown(() => browser.close())
    const { targetId } = await browser.call<{ targetId: string }>('Target.createTarget', {
      url: 'about:blank',
    })
    const { sessionId } = await browser.call<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    })
    browser.session = sessionId
    for (const domain of ['Page', 'Runtime', 'Log']) await browser.call(`${domain}.enable`)
    return browser
  }

  /** Loads a page, whole. */
  async open(url: string): Promise<void> {
    const { errorText } = await this.call<{ errorText?: string }>('Page.navigate', { url })
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`)
    await until(() =>
      this.ask<boolean>(`document.readyState === 'complete' && location.href !== 'about:blank'`),
    )
  }

  /** The value of an expression in the page. */
  async ask<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.call<Evaluated>('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails !== undefined)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
    return result.value as T
  }

  async resize(width: number, height: number): Promise<void> {
    await this.call('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    })
  }

  async scheme(scheme: 'light' | 'dark'): Promise<void> {
    await this.call('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    })
  }

  async point(x: number, y: number): Promise<void> {
    await this.call('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y })
  }

  /** The page as PNG; kept in a file when one is named. */
  async screenshot(file?: string): Promise<Buffer> {
    const { data } = await this.call<{ data: string }>('Page.captureScreenshot', { format: 'png' })
    const png = Buffer.from(data, 'base64')
    if (file !== undefined) await writeFile(file, png)
    return png
  }

  async close(): Promise<void> {
    if (!this.ended) this.send({ id: this.next++, method: 'Browser.close' })
    await until(() => this.ended)
  }

  private call<T>(method: string, params: object = {}): Promise<T> {
    const id = this.next++
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error(`${method}: the browser has ended`))
      this.child.once('exit', ended)
      this.waiting.set(id, ({ result, error }) => {
        this.child.off('exit', ended)
        if (error === undefined) resolve(result as T)
        else reject(new Error(`${method}: ${error.message}`))
      })
      this.send({ id, method, params, ...(this.session && { sessionId: this.session }) })
    })
  }

  private send(message: object): void {
    this.child.stdin!.write(`${JSON.stringify(message)}\0`)
  }

  private take(message: Message): void {
    const { id, method, params } = message
    if (id !== undefined) {
      this.waiting.get(id)?.(message)
      this.waiting.delete(id)
    } else if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') {
      this.complaints.push(JSON.stringify(params))
    }
  }
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

interface Evaluated {
  readonly result: { readonly value: unknown }
  readonly exceptionDetails?: {
    readonly text: string
    readonly exception?: { readonly description?: string }
  }
}
