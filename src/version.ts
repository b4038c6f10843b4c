import { readFileSync } from 'node:fs'

let known: string | null = null

/** Of the package. */
export function version(): string {
  // dist/src/ and the top of the package are two levels apart.
  known ??= (
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  ).version
  return known
}
