import { errno } from '../../libc/errno.js'

/** What goes wrong with a server: a fault in words, the next step in words, and whether another try may help. */
export class Trouble extends Error {
  constructor(
    readonly fault: string,
    readonly step: string,
    readonly options: {
      readonly passes?: boolean
      readonly errno?: number
      /** Milliseconds after which the server wants to be asked again. */
      readonly after?: number
    } = {},
  ) {
    super(`${fault}; ${step}`)
  }

  get passes(): boolean {
    return this.options.passes ?? false
  }

  get errno(): number {
    return this.options.errno ?? errno.EIO
  }
}

const CHECK_SERVER = 'check the server, and the network to it'

export function silent(milliseconds: number): Trouble {
  const seconds = Math.round(milliseconds / 100) / 10
  return new Trouble(
    `the server does not answer, or stopped in the middle of it, for ${seconds} s`,
    CHECK_SERVER,
    {
      passes: true,
      errno: errno.ETIMEDOUT,
    },
  )
}

export function closedEarly(got: number, wanted: number): Trouble {
  return new Trouble(
    `the server closes the connection too early, after ${got} of ${wanted} bytes`,
    'look into its log',
    { passes: true },
  )
}

/** Of Node's HTTP client. */
export function troubleOf(error: NodeJS.ErrnoException): Error {
  const { code } = error
  if (error instanceof Trouble || code === undefined) return error
  if (code.startsWith('HPE_')) {
    return new Trouble(
      `the answer is garbage, no HTTP (${code})`,
      'check the address, and whether it is for http or https',
    )
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return new Trouble(
      `the server does not speak TLS, or another (${code})`,
      'check the address, and whether it is for http or https',
    )
  if (code === 'ENOTFOUND') return new Trouble('there is no host of this name', 'check the address')
  if (isCertificateTrouble(code)) {
    return new Trouble(
      `the certificate of the server is not to be trusted (${code})`,
      'name the file of its authority in NODE_EXTRA_CA_CERTS, or mend the certificate',
    )
  }
  return new Trouble(`the server cannot be reached (${code})`, CHECK_SERVER, {
    passes: true,
    errno: code === 'ETIMEDOUT' ? errno.ETIMEDOUT : errno.EIO,
  })
}

function isCertificateTrouble(code: string): boolean {
  return /CERT|^ERR_TLS|SIGNATURE|^UNABLE_TO_|^CRL_|_CA$|HOSTNAME_MISMATCH|PATH_LENGTH/.test(code)
}
