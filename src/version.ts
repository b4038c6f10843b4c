import { readFileSync } from 'node:fs'
import { packageFile } from './package-file.js'

let known: string | null = null

/** Of the package. */
export function version(): string {
  known ??= (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version
  return known
}
