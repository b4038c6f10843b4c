import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { build } from 'esbuild'

/**
 * Joins the program's modules into dist/bin: rawmount.js, a file for each thread and each further process, and what they
 * share. Node.js takes about a third of a millisecond for each module that it loads; a command needs 150 to 220 of them,
 * each thread of a mount as many. The library stays as the compiler makes it, in dist/src.
 *
 * A step of the build, after the compiler; it changes no line, so that what a stack says can be found.
 */
const SOURCE = 'dist/src'
const TARGET = 'dist/bin'

/** Threads and processes are named so, by whoever starts them, and lie beside him; in dist/bin, too. */
const STARTED = /new URL\('\.\/([\w-]+\.js)', import\.meta\.url\)/g

const entries = { rawmount: join(SOURCE, 'commands/main.js') }
for (const name of readdirSync(SOURCE, { recursive: true }).filter(name => name.endsWith('.js'))) {
  for (const [, started] of readFileSync(join(SOURCE, name), 'utf8').matchAll(STARTED)) {
    const path = resolve(SOURCE, name, '..', started)
    const entry = basename(started, '.js')
    if ((entries[entry] ?? path) !== path) throw new Error(`${path}: ${entries[entry]} has the same name`)
    entries[entry] = path
  }
}

rmSync(TARGET, { recursive: true, force: true })
await build({
  entryPoints: entries,
  outdir: TARGET,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  logLevel: 'warning',
})
