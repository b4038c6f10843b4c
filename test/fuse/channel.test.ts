import { closeSync, readSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { createSessionWords, DeviceChannel, SessionWord } from '../../src/fuse/channel.js'
import { SystemError } from '../../src/libc/errno.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { declare } from '../../src/libc/library.js'
import { connectedSockets } from '../../src/libc/sockets.js'

const fcntl = declare('int fcntl(int fd, int command, intptr_t argument)')
const F_SETFL = 4
const O_NONBLOCK = 0o4000

/** A channel over two pairs of sockets; [0] is the kernel's end, [1] ours. */
function setup(t: ExecutionContext) {
  const pairs = [connectedSockets(), connectedSockets()] as const
  t.teardown(() => {
    for (const fd of pairs.flat()) closeSync(fd)
  })
  const [sleeping, looking] = pairs
  fcntl(looking[1], F_SETFL, O_NONBLOCK)
  // A reply that went astray is an error here, not a wait without end.
  for (const [kernel] of pairs) fcntl(kernel, F_SETFL, O_NONBLOCK)
  const shared = createSessionWords()
  const channel = new DeviceChannel({ sleeping: sleeping[1], looking: looking[1] }, shared)
  return { channel, shared: new Int32Array(shared), sleeping: sleeping[0], looking: looking[0] }
}

const buffer = new IoBuffer(64)

function received(channel: DeviceChannel): string {
  const length = channel.receive(buffer)
  return Buffer.from(buffer.bytes.subarray(0, length)).toString()
}

function send(channel: DeviceChannel, text: string): void {
  buffer.bytes.set(Buffer.from(text))
  if (!channel.send(buffer, text.length)) throw new Error('not sent')
}

function take(fd: number): string {
  const bytes = Buffer.alloc(64)
  return bytes.subarray(0, readSync(fd, bytes)).toString()
}

test('each request is answered on the descriptor it came from', t => {
  const { channel, sleeping, looking } = setup(t)
  writeSync(sleeping, 'one')
  t.is(received(channel), 'one')
  send(channel, 'ONE')
  t.is(take(sleeping), 'ONE')

  // It has served, so it looks first; nothing waits on the other descriptor.
  writeSync(looking, 'two')
  t.is(received(channel), 'two')
  send(channel, 'TWO')
  t.is(take(looking), 'TWO')

  // Looked in vain, then slept.
  writeSync(sleeping, 'three')
  t.is(received(channel), 'three')
  send(channel, 'THREE')
  t.is(take(sleeping), 'THREE')
})

test('a worker that has not served anything goes to sleep at once', t => {
  const { channel, sleeping, looking } = setup(t)
  writeSync(looking, 'look')
  writeSync(sleeping, 'sleep')
  t.is(received(channel), 'sleep')
})

test('while one worker looks, another goes to sleep at once', t => {
  const { channel, shared, sleeping, looking } = setup(t)
  writeSync(sleeping, 'a')
  received(channel)
  send(channel, 'A')
  shared[SessionWord.looking] = 1
  writeSync(looking, 'look')
  writeSync(sleeping, 'sleep')
  t.is(received(channel), 'sleep')
  t.is(shared[SessionWord.looking], 1)
})

test('who has looked lets others look, whether or not there was a request', t => {
  const { channel, shared, sleeping, looking } = setup(t)
  for (const fd of [sleeping, looking, sleeping]) {
    writeSync(fd, 'a')
    received(channel)
    send(channel, 'A')
    t.is(shared[SessionWord.looking], 0)
  }
})

test('with one descriptor there is no looking', t => {
  const [kernel, ours] = connectedSockets()
  t.teardown(() => {
    for (const fd of [kernel, ours]) closeSync(fd)
  })
  const channel = new DeviceChannel({ sleeping: ours, looking: null }, createSessionWords())
  for (const text of ['one', 'two']) {
    writeSync(kernel, text)
    t.is(received(channel), text)
    send(channel, text.toUpperCase())
    t.is(take(kernel), text.toUpperCase())
  }
})

test('a descriptor that fails otherwise is an error, not a loop', t => {
  const channel = new DeviceChannel({ sleeping: -1, looking: null }, createSessionWords())
  t.throws(() => channel.receive(buffer), { instanceOf: SystemError, code: 'EBADF' })
  t.throws(() => channel.send(buffer, 16), { instanceOf: SystemError, code: 'EBADF' })
})
