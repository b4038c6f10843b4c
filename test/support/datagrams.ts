import { closeSync } from 'node:fs'
import { unixAddress } from '../../src/libc/datagrams.js'
import { failed } from '../../src/libc/errno.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { declare } from '../../src/libc/library.js'
import { until } from './tools.js'

const socket = declare('int socket(int domain, int type, int protocol)')
const bind = declare('int bind(int fd, intptr_t address, uint length)')
const recv = declare('intptr_t recv(int fd, intptr_t buffer, size_t length, int flags)')

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const MSG_DONTWAIT = 0x40

/** A Unix socket that receives datagrams, such as a service manager listens to. */
export class DatagramSocket {
  private readonly fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
  private readonly buffer = new IoBuffer(4096)

  /** A path, or a name that begins with @ in the abstract namespace. */
  constructor(name: string) {
    const address = unixAddress(name)
    if (bind(this.fd, address.address, address.length) < 0) throw failed('bind', name)
  }

  /** Null when there is none. */
  take(): string | null {
    const length = recv(this.fd, this.buffer.address, this.buffer.length, MSG_DONTWAIT)
    return length < 0 ? null : Buffer.from(this.buffer.bytes.subarray(0, length)).toString()
  }

  async receive(): Promise<string> {
    let text: string | null = null
    await until(() => {
      text = this.take()
      return text !== null
    })
    return text!
  }

  close(): void {
    closeSync(this.fd)
  }
}
