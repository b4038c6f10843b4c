import { type MessagePort, parentPort } from 'node:worker_threads'
import type { DeferredReply } from '../../fuse/deferred-reply.js'
import { Invalidator } from '../../fuse/invalidator.js'
import { mountedTree, type TreeDescription } from '../tree/mounted-tree.js'

/** What the invalidator's thread is told: the tree once, then where requests come from. */
export interface InvalidatorMessage {
  readonly tree: TreeDescription
  readonly ports: readonly MessagePort[]
  /** What came before the ports were handed over. */
  readonly first: readonly DeferredReply[]
}

let invalidator: Invalidator | null = null

parentPort!.on('message', ({ tree, ports, first }: InvalidatorMessage) => {
  invalidator ??= new Invalidator(mountedTree(tree, 0))
  for (const request of first) invalidator.answer(request)
  for (const port of ports) port.on('message', (request: DeferredReply) => invalidator!.answer(request))
})
