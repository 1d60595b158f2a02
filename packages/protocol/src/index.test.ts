import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const PACKAGE = new URL('..', import.meta.url)

test('the example of the README prints what the README says', () => {
  const readme = readFileSync(new URL('README.md', PACKAGE), 'utf8')
  const [, program = ''] = /```js\n(.*?)```/s.exec(readme) ?? []
  const [, output] = /```text\n(.*?)```/s.exec(readme) ?? []
  // started in the package, which may import itself by its name
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: fileURLToPath(PACKAGE),
    encoding: 'utf8'
  })
  assert.equal(printed, output)
})
