import { ImageError } from '../../errors.js'
import { sendDatagram } from '../../libc/datagrams.js'

/**
 * The service manager that started this process and waits to be told when it is ready (Type=notify). Only for a mount that
 * stays in front: a daemon is none of the manager's own processes.
 *
 * @see man 3 sd_notify
 */
export class ServiceManager {
  private constructor(private readonly socket: string) {}

  /** Null where nobody waits. Takes the address out of the environment, as children have nothing to tell. */
  static fromEnvironment(environment: NodeJS.ProcessEnv = process.env): ServiceManager | null {
    const socket = environment.NOTIFY_SOCKET
    delete environment.NOTIFY_SOCKET
    return socket ? new ServiceManager(socket) : null
  }

  /** The mount answers. `status` is one line for people. Throws ImageError when the manager cannot be told. */
  ready(status: string): void {
    this.tell('READY=1', `STATUS=${oneLine(status)}`, `MAINPID=${process.pid}`)
  }

  /** What is written is being made durable, which may take a while. */
  stopping(status: string): void {
    this.tell('STOPPING=1', `STATUS=${oneLine(status)}`)
  }

  private tell(...assignments: string[]): void {
    try {
      sendDatagram(this.socket, `${assignments.join('\n')}\n`)
    } catch (cause) {
      throw new ImageError(
        'MOUNT',
        `the service manager cannot be told: ${(cause as Error).message}: NOTIFY_SOCKET must be its socket`,
        { cause },
      )
    }
  }
}

/** A line break would begin another assignment. */
function oneLine(status: string): string {
  return status.replace(/[\r\n]+/g, ' ')
}
