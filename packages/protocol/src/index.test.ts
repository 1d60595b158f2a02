import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const PACKAGE = new URL('..', import.meta.url)

test('the example in the README prints the output in the README', () => {
  const readme = readFileSync(new URL('README.md', PACKAGE), 'utf8')
  const [, program = ''] = /```js\n(.*?)```/s.exec(readme) ?? []
  const [, output] = /```console\n\$ node route.mjs\n(.*?)```/s.exec(readme) ?? []
  // the package can import itself by name only in its own directory
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: fileURLToPath(PACKAGE),
    encoding: 'utf8'
  })
  assert.equal(printed, output)
})
