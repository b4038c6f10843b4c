import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { NewFile } from '../../src/transfer/new-file.js'
import { scratch } from '../support/mounting.js'

// With a hidden name: as on file systems that have no files without.
for (const unnamed of [true, false]) {
  const how = unnamed ? 'without a name' : 'with a hidden name'
  test(`a new file ${how} has its own when it is published, and is nothing before`, async t => {
    const work = await scratch(t)
    const file = new NewFile(work.join('a'), unnamed)
    writeFileSync(file.handle, 'contents')
    t.is(readdirSync(work.path).length, unnamed ? 0 : 1)
    t.false(readdirSync(work.path).includes('a'))
    file.publish(false)
    t.deepEqual(readdirSync(work.path), ['a'])
    t.is(readFileSync(work.join('a'), 'utf8'), 'contents')
    file.discard()
    t.deepEqual(readdirSync(work.path), ['a'])
  })

  test(`a new file ${how} replaces another only when told to`, async t => {
    const work = await scratch(t)
    writeFileSync(work.join('a'), 'old', { mode: 0o640 })
    const refused = new NewFile(work.join('a'), unnamed)
    t.throws(() => refused.publish(false), { code: 'EEXIST' })
    refused.discard()
    t.deepEqual(readdirSync(work.path), ['a'])
    const file = new NewFile(work.join('a'), unnamed)
    writeFileSync(file.handle, 'new')
    file.resemble(statSync(work.join('a')))
    t.is(readFileSync(work.join('a'), 'utf8'), 'old')
    file.publish(true)
    t.deepEqual(readdirSync(work.path), ['a'])
    t.is(readFileSync(work.join('a'), 'utf8'), 'new')
    t.is(statSync(work.join('a')).mode & 0o777, 0o640)
  })
}
