import assert from 'node:assert/strict'
import { access, cp, rename, truncate } from 'node:fs/promises'
import test, { type TestContext } from 'node:test'
import { assertOneSentence } from './harness/assertions.ts'
import type { Program } from './harness/program.ts'
import { ended, idOf, keyOf, Sandbox } from './harness/sandbox.ts'

/** A writer's store with one line, and a copy of it. */
async function openCopy(t: TestContext): Promise<{ sandbox: Sandbox; key: string }> {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish('one\n')
  await cp(sandbox.path('writer'), sandbox.path('copy'), { recursive: true })
  return { sandbox, key }
}

function adopt(sandbox: Sandbox, args: readonly string[] = []): Promise<Program> {
  return sandbox.run('writer', { command: 'adopt', storage: 'copy', args: ['--timeout', '1', ...args] })
}

test('a copied writer’s store is refused with 8 and the command that adopts it, also once a reader has opened it; the original continues', async (t) => {
  const { sandbox, key } = await openCopy(t)
  const refuse = async (): Promise<void> => {
    const writer = await ended(sandbox.writer({ storage: 'copy' }), 8)
    assertOneSentence(writer)
    assert.match(writer.stderr.text, /writer adopt/)
    assert.equal(writer.stdout.text, '')
  }
  await refuse()
  assert.notEqual(await idOf(sandbox, 'writer', 'copy'), await idOf(sandbox, 'writer', 'writer'))
  const args = ['--raw', '--exit', '--timeout', '1']
  const reader = await ended(sandbox.reader(key, { storage: 'copy', args }))
  assert.equal(reader.stdout.text, 'one\n')
  await refuse()
  assert.equal(await sandbox.publish('two\n'), key)
})

test('a copy that lacks the content of the file that identifies it is refused, too', async (t) => {
  const { sandbox } = await openCopy(t)
  await truncate(sandbox.path('copy/CORESTORE'))
  const writer = await ended(sandbox.writer({ storage: 'copy' }), 8)
  assert.match(writer.stderr.text, /writer adopt/)
})

test('a copy that was moved with mv is still refused, and a store that was is not', async (t) => {
  const { sandbox, key } = await openCopy(t)
  await ended(sandbox.writer({ storage: 'copy' }), 8)
  await rename(sandbox.path('copy'), sandbox.path('elsewhere'))
  await ended(sandbox.writer({ storage: 'elsewhere' }), 8)
  await rename(sandbox.path('writer'), sandbox.path('renamed'))
  assert.equal(await sandbox.publish('two\n', { storage: 'renamed' }), key)
})

test('a copy is adopted once it has the newer lines of a reader, and continues under the same key', async (t) => {
  const { sandbox, key } = await openCopy(t)
  const writer = await sandbox.writer()
  const reader = await sandbox.reader(key, { args: ['--raw'] })
  await writer.write('two\nthree\n')
  await reader.stdout.firstLines(3)
  // the disk of the original is dead
  await writer.kill()
  const adopted = await ended(adopt(sandbox))
  assert.equal(await keyOf(adopted), key)
  assert.match(adopted.stderr.text, /recovered 2 lines/)
  assert.match(adopted.stderr.text, /has 3 lines; never start another copy/)
  assert.equal(await sandbox.publish('four\n', { storage: 'copy' }), key)
  const again = await sandbox.writer({ storage: 'copy' })
  assert.deepEqual(await reader.stdout.firstLines(4), ['one', 'two', 'three', 'four'])
  assert.ok(again.isRunning)
})

test('a directory without a log cannot be adopted: 3, and nothing is created', async (t) => {
  const sandbox = await Sandbox.open(t)
  await ended(sandbox.run('writer', { command: 'adopt', args: ['--sole-copy'], storage: 'typo' }), 3)
  await assert.rejects(access(sandbox.path('typo')))
})

test('without a peer, a copy is adopted only with --sole-copy: otherwise 3, and nothing changes', async (t) => {
  const { sandbox, key } = await openCopy(t)
  const refused = await ended(adopt(sandbox, ['--quiet']), 3)
  assertOneSentence(refused)
  assert.match(refused.stderr.text, /--sole-copy/)
  await ended(sandbox.writer({ storage: 'copy' }), 8)
  // a reader that has nothing yet does not count
  const waiting = await sandbox.reader(key, { storage: 'empty', args: ['--raw'] })
  await waiting.stderr.says('finding peers')
  await ended(adopt(sandbox, ['--sole-copy']))
  assert.equal(await sandbox.publish('two\n', { storage: 'copy' }), key)
  const again = await sandbox.writer({ storage: 'copy' })
  assert.deepEqual(await waiting.stdout.firstLines(2), ['one', 'two'])
  assert.ok(again.isRunning)
  // to adopt a store that is not a copy changes nothing
  await again.kill()
  await ended(adopt(sandbox))
})

test('an original that continues its log after a copy was adopted is stopped with 5 when they meet', async (t) => {
  const { sandbox, key } = await openCopy(t)
  await ended(adopt(sandbox, ['--sole-copy']))
  // they do not meet yet, and append different lines
  await sandbox.publish('of the copy\n', { storage: 'copy' })
  await sandbox.publish('of the original\n')
  const copy = await sandbox.writer({ storage: 'copy' })
  await keyOf(copy)
  const original = await sandbox.writer()
  await original.ends(5)
  assert.match(original.stderr.text, /this log has forked/)
  await copy.ends(5)
  assert.equal(await keyOf(copy), key)
})
