import { closeSync } from 'node:fs'
import { ImageError } from '../errors.js'
import { failed } from './errno.js'
import { IoBuffer } from './io-buffer.js'
import { declare } from './library.js'

const socket = declare('int socket(int domain, int type, int protocol)')
const sendto = declare(
  'intptr_t sendto(int fd, intptr_t data, size_t length, int flags, intptr_t address, uint addressLength)',
)

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000

/**
 * Sends one datagram to a Unix socket: an absolute path, or a name of the abstract namespace, which begins with @. Blocks
 * while the receiver's queue is full. Throws ImageError for what is no such address, SystemError when it does not arrive.
 *
 * @see man 7 unix
 */
export function sendDatagram(to: string, text: string): void {
  const address = unixAddress(to)
  const data = bufferOf(Buffer.from(text))
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw failed('socket', 'AF_UNIX')
  try {
    if (sendto(fd, data.address, data.length, MSG_NOSIGNAL, address.address, address.length) < 0)
      throw failed('sendto', to)
  } finally {
    closeSync(fd)
  }
}

/** Bytes of sun_path; a path ends with a zero byte. */
const PATH_LENGTH = 108

/** struct sockaddr_un, as long as it is meant: the name of an abstract socket goes to its very end. */
export function unixAddress(name: string): IoBuffer {
  const bytes = Buffer.from(name)
  const abstract = name.startsWith('@')
  if (!abstract && !name.startsWith('/'))
    throw new ImageError(
      'INVALID',
      `${name}: no address of a Unix socket: give a path from /, or @ and a name`,
    )
  if (bytes.length > (abstract ? PATH_LENGTH : PATH_LENGTH - 1))
    throw new ImageError('INVALID', `${name}: too long for the address of a Unix socket`)
  if (abstract) bytes[0] = 0
  const address = new IoBuffer(2 + bytes.length + (abstract ? 0 : 1))
  address.view.setUint16(0, AF_UNIX, true)
  address.bytes.set(bytes, 2)
  return address
}

function bufferOf(bytes: Uint8Array): IoBuffer {
  const buffer = new IoBuffer(bytes.length)
  buffer.bytes.set(bytes)
  return buffer
}
