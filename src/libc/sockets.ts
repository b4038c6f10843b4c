import { writeU64 } from '../bytes.js'
import { errno, failed } from './errno.js'
import { IoBuffer } from './io-buffer.js'
import { declare, lastErrno } from './library.js'

const socketpair = declare('int socketpair(int domain, int type, int protocol, intptr_t descriptors)')
const recvmsg = declare('intptr_t recvmsg(int fd, intptr_t message, int flags)')

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_CMSG_CLOEXEC = 0x40000000

/** Two connected sockets, closed when a program is executed unless they are handed to it. */
export function connectedSockets(): [number, number] {
  const pair = new IoBuffer(8)
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.address) < 0)
    throw failed('socketpair', 'AF_UNIX')
  return [pair.view.getInt32(0, true), pair.view.getInt32(4, true)]
}

// Places in one buffer: struct msghdr, struct iovec, struct cmsghdr with one descriptor, one byte of data.
const VECTOR = 64
const CONTROL = 96
const CONTROL_SIZE = 24
const DATA = 128

/** Waits for a descriptor that another process passes (SCM_RIGHTS); null when the other side closed without. */
export function receiveDescriptor(socket: number): number | null {
  const { view, address, length } = new IoBuffer(192)
  writeU64(view, 16, address + VECTOR)
  writeU64(view, 24, 1)
  writeU64(view, 32, address + CONTROL)
  writeU64(view, 40, CONTROL_SIZE)
  writeU64(view, VECTOR, address + DATA)
  writeU64(view, VECTOR + 8, length - DATA)
  for (;;) {
    const got = recvmsg(socket, address, MSG_CMSG_CLOEXEC)
    if (got === 0) return null
    if (got > 0) break
    if (lastErrno() !== errno.EINTR) throw failed('recvmsg', 'AF_UNIX')
  }
  const controlLength = view.getUint32(40, true)
  if (controlLength < 20) return null
  if (view.getInt32(CONTROL + 8, true) !== SOL_SOCKET || view.getInt32(CONTROL + 12, true) !== SCM_RIGHTS)
    return null
  return view.getInt32(CONTROL + 16, true)
}
