import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CorestoreStorage } from 'corestore'
import { openWriter } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { createMachine } from '../testing/support.ts'

test('a write-ahead log that is removed before it is opened does not fail a sync', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  await writer.publish(['first\n'])
  const { rocks, db } = internalsOf(node).store.storage as CorestoreStorage & {
    readonly db: { flush(): Promise<void> }
  }
  const logs = async (): Promise<string[]> =>
    (await readdir(join(node.storage, 'db'))).filter((name) => name.endsWith('.log'))
  // another log begins, and the next one where that one is looked up
  await db.flush()
  const current = rocks.currentWalFile.bind(rocks)
  let removed = ''
  rocks.currentWalFile = async () => {
    const log = await current()
    if (removed !== '') return log
    const [before = ''] = await logs()
    await db.flush()
    if (!(await logs()).includes(before)) removed = before
    return log
  }
  assert.deepEqual(await writer.publish(['second\n']), { position: 1, count: 1 })
  assert.notEqual(removed, '')
})
