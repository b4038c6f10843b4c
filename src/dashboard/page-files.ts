import { readFileSync } from 'node:fs'
import { packageFile } from '../package-file.js'

/** A file of the page, as it is sent. */
export interface PageFile {
  readonly type: string
  readonly body: Buffer
}

/** The page needs no build: its files are sent as they are in the source, which the package has for that. */
const DIRECTORY = packageFile('src/dashboard/page/')

const TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'style.css': 'text/css; charset=utf-8',
  'main.js': 'text/javascript; charset=utf-8',
  'cells.js': 'text/javascript; charset=utf-8',
  'chart.js': 'text/javascript; charset=utf-8',
  'latency.js': 'text/javascript; charset=utf-8',
  'panels.js': 'text/javascript; charset=utf-8',
  'text.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

const loaded = new Map<string, PageFile>()

/** Null for a name that is none of the page's: no other file can be asked for. */
export function pageFile(name: string): PageFile | null {
  const known = name === '' ? 'index.html' : name
  if (!Object.hasOwn(TYPES, known)) return null
  let file = loaded.get(known)
  if (file === undefined) {
    file = { type: TYPES[known as keyof typeof TYPES], body: readFileSync(new URL(known, DIRECTORY)) }
    loaded.set(known, file)
  }
  return file
}
