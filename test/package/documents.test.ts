import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ROOT } from './support/packed.js'

/** What SECURITY.md and CONTRIBUTING.md say is there, as test/docs.test.ts has it for the other documents. */
function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

test('every promise of SECURITY.md names tests, and they exist', t => {
  const [, promises = ''] = read('SECURITY.md').match(/## What is promised\n(.*)## What is not/s) ?? []
  for (const promise of promises.split(/^- /m).slice(1)) {
    const references = [...promise.matchAll(/([\w/-]+\.test\.ts): "([^"]+)"/g)]
    t.true(references.length > 0, promise)
    for (const [, file, words] of references) {
      const path = `test/${file}`
      t.true(existsSync(join(ROOT, path)) && read(path).includes(words!), `${path}: "${words}"`)
    }
  }
})

test('the files, folders and commands that CONTRIBUTING.md and SECURITY.md name exist', t => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const document of ['CONTRIBUTING.md', 'SECURITY.md']) {
    const text = read(document)
    for (const [, path] of text.matchAll(/`((?:src|test|scripts|docs|examples|bench|\.ci)\/[\w./-]+)`/g)) {
      if (!path!.includes('NAME')) t.true(existsSync(join(ROOT, path!)), `${document}: ${path}`)
    }
    for (const [, name] of text.matchAll(/npm run ([\w:]+)/g))
      t.true(name! in scripts, `${document}: ${name}`)
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
      t.true(existsSync(join(ROOT, target!)), `${document}: ${target}`)
  }
})

test('CONTRIBUTING.md has a checklist for what is added most', t => {
  const headings = [...read('CONTRIBUTING.md').matchAll(/^## (.*)\n\n- \[ \] /gm)].map(
    ([, heading]) => heading,
  )
  for (const thing of ['format', 'command', 'option', 'FUSE operation'])
    t.true(headings.includes(`Add a ${thing}`) || headings.includes(`Add an ${thing}`), thing)
})
