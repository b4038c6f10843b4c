import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { attachDisk } from '../../../src/disk/attach.js'
import type { DiskDescription } from '../../../src/disk/descriptions.js'
import type { FileDescription } from '../../../src/storage/storage-file.js'
import { SharedFile } from '../shared-storage.js'
import { type Act, Actor, type CopierMemory, type Event } from './actor.js'
import { Kind, Level, Turns, type TurnsMemory, takeTurns } from './turns.js'

/**
 * A thread of the runs: attaches to the disk once, then does its part of one run after the other. Between two runs all
 * memory that the threads share is put back to what it was.
 */
export interface ThreadOrder {
  readonly me: number
  readonly turns: TurnsMemory
  readonly disk: DiskDescription
  readonly copiers: CopierMemory
  readonly witness: FileDescription
  /** Length, then JSON of a ThreadResult. */
  readonly result: SharedArrayBuffer
  /** Each message is what to do in the next run, and all after it. */
  readonly port: MessagePort
}

export interface ThreadResult {
  readonly events: readonly Event[]
  readonly error: string | null
}

const order = workerData as ThreadOrder
const turns = new Turns(order.turns, order.me)
const actor = new Actor(attachDisk(order.disk), order.copiers, new SharedFile(order.witness))
const resultLength = new Int32Array(order.result, 0, 1)
const resultText = new Uint8Array(order.result, 4)
let acts: readonly Act[] = []

parentPort!.postMessage('ready')
for (;;) {
  turns.awaitStart()
  for (let news = receiveMessageOnPort(order.port); news; news = receiveMessageOnPort(order.port)) {
    acts = news.message as readonly Act[]
  }
  const result = play()
  const text = Buffer.from(JSON.stringify(result))
  resultText.set(text)
  resultLength[0] = text.length
  turns.finish(result.error !== null)
}

function play(): ThreadResult {
  const events: Event[] = []
  takeTurns(turns)
  try {
    acts.forEach((act, n) => {
      if (n > 0) turns.point(Level.coarse, Kind.begin, n)
      const invoked = turns.tick()
      const outcome = actor.perform(act)
      events.push({ act, invoked, returned: turns.tick(), ...outcome })
    })
    return { events, error: null }
  } catch (error) {
    return { events, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  } finally {
    takeTurns(null)
  }
}
