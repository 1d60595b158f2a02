import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { deadline, temporary } from '@many-cores/testing'

const run = promisify(execFile)
const here = dirname(dirname(fileURLToPath(import.meta.url)))
const readme = await readFile(join(here, 'README.md'), 'utf8')
const examples = [...readme.matchAll(/```([jt]s)\n(.*?)```\n\n```text\n(.*?)```/gs)]

test('the first example of the README is JavaScript that every supported version of Node runs', () => {
  assert.equal(examples[0]?.[1], 'js')
})

test('every example of the README has an output', () => {
  assert.equal(examples.length, readme.split(/```[jt]s\n/).length - 1)
})

for (const [index, [, language, code = '', output]] of examples.entries()) {
  test(`example ${index + 1} of the README prints the output below it`, async (t) => {
    const directory = await temporary(t)
    const runtime = join(directory, 'run')
    await mkdir(runtime, { mode: 0o700 })
    await mkdir(join(directory, 'node_modules', '@many-cores'), { recursive: true })
    await symlink(here, join(directory, 'node_modules', '@many-cores', 'node'))
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
    await writeFile(join(directory, `main.${language}`), code)
    if (language === 'ts') await compile(directory)
    const env = { PATH: process.env.PATH, HOME: directory, MANY_CORES_RENDEZVOUS: runtime }
    const { stdout } = await deadline(
      'the example',
      run(process.execPath, ['main.js'], { cwd: directory, env })
    )
    assert.equal(stdout, output)
  })
}

/** Node 20 does not know `await using`. The examples are compiled, not checked: they are plain JavaScript otherwise. */
async function compile(directory: string): Promise<void> {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const options = ['--module', 'nodenext', '--target', 'es2022', '--noCheck', '--types', '']
  await run(process.execPath, [tsc, 'main.ts', ...options], { cwd: directory })
}
