import { ImageError } from '../../errors.js'

/**
 * Names that are URLs. Two forms of one: the whole, by which a server is asked, and the printable, which is all that
 * messages, status and logs see: no user name, no password, and no query, as that is where signed addresses have theirs.
 */

export function isUrl(name: string): boolean {
  return /^https?:\/\//i.test(name)
}

/** Throws ImageError INVALID. */
export function parseUrl(text: string): URL {
  try {
    const url = new URL(text)
    decodeURIComponent(url.username + url.password)
    url.hash = ''
    return url
  } catch {
    throw new ImageError('INVALID', `${hideCredentials(text)}: is no valid URL; write it as http://HOST/PATH`)
  }
}

export function printableUrl({ protocol, host, pathname, search }: URL): string {
  return `${protocol}//${host}${pathname}${search === '' ? '' : '?…'}`
}

/** A name as it may be shown: a URL without what only its owner should know, anything else as it is. */
export function hideCredentials(name: string): string {
  if (!isUrl(name)) return name
  return URL.canParse(name)
    ? printableUrl(new URL(name))
    : name.replace(/\/\/.*@/, '//').replace(/\?.*/, '?…')
}

/** Equal for two names of one address. */
export function identityOf({ protocol, host, pathname, search }: URL): string {
  return `${protocol}//${host}${pathname}${search}`
}

/**
 * A name in the header of the image at `imageUrl`: a URL, or a file beside the image. Null for an absolute path, as a
 * stranger's image must not lead to files of this machine.
 */
export function resolveAtUrl(name: string, imageUrl: string): string | null {
  if (isUrl(name)) return name
  if (name.startsWith('/')) return null
  const reference = name.split('/').map(encodeURIComponent).join('/')
  const url = new URL(imageUrl)
  // A signature is of one file only.
  url.search = ''
  return new URL(`./${reference}`, url).href
}

/** What all URLs of one directory have in common. */
export function directoryOf(url: string): string {
  return identityOf(new URL('.', url))
}
