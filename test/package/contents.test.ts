import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import test from 'ava'
import { pack, ROOT } from './support/packed.js'

interface Description {
  readonly engines: { readonly node: string }
  readonly dependencies: Record<string, string>
  readonly optionalDependencies: Record<string, string>
  readonly bin: Record<string, string>
  readonly exports: Record<string, unknown>
}

const description = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Description
const packed = await pack(tmpdir(), '--dry-run')
const paths = packed.files.map(({ path }) => path)

test('the package has the program, the library with its types, and what the README leads to', t => {
  for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'dist/src/index.d.ts'])
    t.true(paths.includes(path), path)
  for (const path of [
    ...Object.values(description.bin),
    ...Object.values(description.exports).flatMap(files),
  ])
    t.true(paths.includes(normalize(path)), path)
  const program = packed.files.find(({ path }) => path === description.bin.rawmount)
  t.is(program?.mode, 0o755)
})

/** The files of an entry of the exports map. */
function files(target: unknown): string[] {
  return typeof target === 'string' ? [target] : Object.values(target as object).flatMap(files)
}

test('the package has no tests, no sources and nothing that only building needs', t => {
  const known = [
    /^dist\/bin\/[\w-]+\.js$/,
    /^dist\/src\/[\w/.-]+\.(js|d\.ts)$/,
    /^dist\/share\/[\w/.@-]+$/,
    /^docs\/[\w/-]+\.(md|svg|png)$/,
    /^examples\/[\w-]+\.(sh|ts|md)$/,
    /^examples\/systemd\/[\w@-]+\.service$/,
    // What the dashboard serves to browsers, as it is.
    /^src\/dashboard\/page\/[\w-]+\.(html|css|js|svg)$/,
    /^(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md$/,
    /^(LICENSE|package\.json)$/,
  ]
  for (const path of paths)
    t.true(
      known.some(pattern => pattern.test(path)),
      path,
    )
  t.true(packed.size < 1_000_000, `${packed.size} bytes`)
})

test('what the documents of the package link to is in the package', async t => {
  for (const document of paths.filter(path => path.endsWith('.md'))) {
    const text = await readFile(join(ROOT, document), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      const path = normalize(join(dirname(document), target!))
      const there = paths.includes(path) || paths.some(other => other.startsWith(`${path}/`))
      t.true(there, `${document}: ${target}`)
    }
  }
})

test('every file that a file of the package loads, or starts as a thread or process, is in the package', async t => {
  let count = 0
  for (const path of paths.filter(path => /^dist\/.*\.(js|d\.ts)$/.test(path))) {
    const text = await readFile(join(ROOT, path), 'utf8')
    for (const [, name] of text.matchAll(
      /(?:\bfrom |\bimport |\bimport\(|\bnew URL\()["'](\.[\w/.-]+\.js)["']/g,
    )) {
      t.true(paths.includes(join(dirname(path), name!)), `${path}: ${name}`)
      count++
    }
  }
  t.true(count > 500, `${count}`)
})

test('every package that the program loads is one that it depends on', async t => {
  const known = [...Object.keys(description.dependencies), ...Object.keys(description.optionalDependencies)]
  const loaded = new Set<string>()
  for (const path of paths.filter(path => /^dist\/.*\.js$/.test(path))) {
    const text = await readFile(join(ROOT, path), 'utf8')
    for (const [, name] of text.matchAll(
      /(?:\bfrom |\bimport |\bimport\(|\brequire\d*\()["'](@?[a-z][\w:/.-]*)["']/g,
    )) {
      if (!name!.startsWith('node:')) loaded.add(name!)
    }
  }
  t.deepEqual(
    [...loaded].filter(name => builtinModules.includes(name)),
    [],
    'without node: in front',
  )
  t.deepEqual([...loaded].sort(), known.sort())
})

test('the scripts that try other versions of Node.js begin with the oldest that the package promises', async t => {
  const text = await readFile(join(ROOT, 'scripts/node.sh'), 'utf8')
  const [, oldest] = text.match(/^OLDEST_NODE=(\d+\.\d+)\.0$/m) ?? []
  t.is(description.engines.node, `>=${oldest}`)
})

test('the lock file names no registry, so that each user fetches from their own', async t => {
  const text = await readFile(join(ROOT, 'package-lock.json'), 'utf8')
  t.notRegex(text, /"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/)
})

test('examples are programs that can be run', async t => {
  for (const name of await readdir(join(ROOT, 'examples'))) {
    const { mode } = packed.files.find(({ path }) => path === `examples/${name}`) ?? {}
    if (name.endsWith('.sh') && name !== 'common.sh') t.is(mode, 0o755, name)
  }
  t.true(existsSync(join(ROOT, 'dist/examples/api.js')))
})
