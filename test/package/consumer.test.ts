import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Scratch } from '../support/mounting.js'
import { type Outcome, run, succeed } from '../support/tools.js'
import { archive, ROOT } from './support/packed.js'

const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }

/** The packed package, installed where projects below find it. What it depends on is this checkout's. */
const work = new Scratch(await mkdtemp(join(tmpdir(), 'rawmount-')))
const installed = work.join('node_modules/rawmount')
test.after.always(() => work.clean())

test.before(async () => {
  await mkdir(installed, { recursive: true })
  await succeed('tar', '-xzf', await archive(work.path), '-C', installed, '--strip-components=1')
  await symlink(join(ROOT, 'node_modules'), join(installed, 'node_modules'))
  await writeFile(work.join('package.json'), '{ "type": "module" }')
})

/** Runs a file in the project. */
function node(file: string): Promise<Outcome> {
  return run(process.execPath, [file], { cwd: work.path, env: { TMPDIR: work.path } })
}

const COMPILER = join(ROOT, 'node_modules/typescript/bin/tsc')

/** Compiles the one file of a project, without any setting that would excuse the package's declarations. */
async function compile(directory: string, file: string, resolution: 'node16' | 'bundler'): Promise<Outcome> {
  const compilerOptions = {
    module: resolution === 'bundler' ? 'esnext' : resolution,
    moduleResolution: resolution,
    ...{ target: 'es2023', lib: ['es2024'], strict: true, skipLibCheck: false },
    ...{ types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] },
  }
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  return run(process.execPath, [COMPILER, '-p', directory])
}

for (const resolution of ['node16', 'bundler'] as const) {
  test(`the example in TypeScript compiles against the package, resolved as ${resolution}, and runs`, async t => {
    const directory = await work.directory(resolution)
    await writeFile(join(directory, 'api.ts'), await readFile(join(ROOT, 'examples/api.ts')))
    const compiled = await compile(directory, 'api.ts', resolution)
    t.is(compiled.code, 0, compiled.stdout)
    const { code, stdout, stderr } = await node(join(directory, 'api.js'))
    t.is(stderr, '')
    t.is(code, 0)
    t.regex(stdout, /^hello, disk\n0 \+ 1048576: nothing\n1048576 \+ 4096: data at \d+ of the file\n/)
    t.regex(stdout, /\nNOT_FOUND: .*missing\.qed: does not exist; check the name\n$/)
  })
}

test('a wrong use of the library is an error of the compiler', async t => {
  const directory = await work.directory('wrong')
  await writeFile(
    join(directory, 'wrong.ts'),
    "import { openImage } from 'rawmount'\nopenImage(1)\nopenImage('a').disk.size.length\n",
  )
  const { code, stdout } = await compile(directory, 'wrong.ts', 'node16')
  t.not(code, 0)
  t.regex(stdout, /wrong\.ts\(2,11\): error TS2345/)
  t.regex(stdout, /wrong\.ts\(3,26\): error TS2339/)
})

const TELL = "console.log(formatNames().includes('qed'), typeof openImage, description.version)"

test('programs import the library, CommonJS ones require it, and both find its version', async t => {
  await writeFile(
    work.join('import.js'),
    `import { formatNames, openImage } from 'rawmount'
     import description from 'rawmount/package.json' with { type: 'json' }
     ${TELL}`,
  )
  await writeFile(
    work.join('require.cjs'),
    `const { formatNames, openImage } = require('rawmount')
     const description = require('rawmount/package.json')
     ${TELL}`,
  )
  for (const file of ['import.js', 'require.cjs']) {
    const { code, stdout, stderr } = await node(file)
    t.is(code, 0, stderr)
    t.is(stdout, `true function ${version}\n`, file)
  }
})

test('what is inside the package stays inside', async t => {
  await writeFile(work.join('inside.js'), "import 'rawmount/dist/src/errors.js'")
  const { code, stderr } = await node('inside.js')
  t.is(code, 1)
  t.regex(stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/)
})

test('the installed program knows its version', async t => {
  const program = join(installed, 'dist/bin/rawmount.js')
  t.is(await succeed(process.execPath, program, '--version'), `rawmount ${version}\n`)
})
