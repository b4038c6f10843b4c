import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { DeferredReply } from '../../fuse/deferred-reply.js'
import { tracer } from '../../trace.js'
import type { TreeDescription } from '../tree/mounted-tree.js'
import type { InvalidatorMessage } from './invalidator-thread.js'

const debug = tracer('mount')

/**
 * The thread that answers what session workers leave to it (../fuse/invalidator.ts), as the main thread sees
 * it. It is started by the first such request, which few mounts ever have. Each session worker has a port to
 * it; until then the other ends are here.
 */
export class Invalidation {
  private readonly waiting = new Set<MessagePort>()
  private thread: Worker | null = null
  private ending = false

  /** `onDeath`: requests will not be answered any more. */
  constructor(
    private readonly tree: TreeDescription,
    private readonly onDeath: (error: Error) => void,
  ) {}

  /** For one session worker. */
  openPort(): MessagePort {
    const { port1, port2 } = new MessageChannel()
    if (this.thread === null) {
      this.waiting.add(port2)
      port2.once('message', (request: DeferredReply) => this.start(request))
      port2.unref()
    } else {
      this.post(this.thread, [port2], [])
    }
    return port1
  }

  /** When no request comes any more. */
  async stop(): Promise<void> {
    this.ending = true
    for (const port of this.waiting) port.close()
    await this.thread?.terminate()
  }

  private start(first: DeferredReply): void {
    debug('starting the invalidator')
    const thread = new Worker(new URL('./invalidator-thread.js', import.meta.url))
    this.thread = thread
    thread.on('error', error => {
      if (!this.ending) this.onDeath(error as Error)
    })
    thread.unref()
    const ports = [...this.waiting]
    this.waiting.clear()
    for (const port of ports) port.removeAllListeners('message')
    this.post(thread, ports, [first])
  }

  private post(thread: Worker, ports: readonly MessagePort[], first: readonly DeferredReply[]): void {
    const message: InvalidatorMessage = { tree: this.tree, ports, first }
    thread.postMessage(message, ports)
  }
}
