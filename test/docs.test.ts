import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

/** The documents name tests, files and commands: all of them exist. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const DOCUMENTS = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs')).map(name => `docs/${name}`),
].filter(name => name.endsWith('.md'))

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

test('every test that docs/semantics.md names exists', t => {
  const references = [...read('docs/semantics.md').matchAll(/([\w/-]+\.test\.ts): "([^"]+)"/g)]
  t.true(references.length > 40)
  for (const [, file, words] of references) {
    const path = `test/${file}`
    t.true(existsSync(join(ROOT, path)) && read(path).includes(words!), `${path}: "${words}"`)
  }
})

test('every promise of docs/semantics.md names a test', t => {
  const promises = read('docs/semantics.md').split(/^- /m).slice(1)
  for (const promise of promises) t.regex(promise, /\.test\.ts: "/, promise)
})

for (const document of DOCUMENTS) {
  test(`the links of ${document} lead somewhere`, t => {
    for (const [, target] of read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      t.true(existsSync(join(ROOT, dirname(document), target!)), target)
    }
    t.pass()
  })

  test(`the files that ${document} names exist`, t => {
    for (const [, path] of read(document).matchAll(
      /`((?:src|test|scripts|docs|examples|bench)\/[\w./-]+)`/g,
    )) {
      t.true(existsSync(join(ROOT, path!)), path)
    }
    t.pass()
  })
}
