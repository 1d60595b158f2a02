import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import { openCursors, openReader, openWriter } from './index.ts'
import { collect, createMachine } from './testing/support.ts'

test('cursors are listed from the store alone, with what the log had, and can be moved and removed', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  await writer.publish(['a\n', 'b\n', 'c\n'])
  const node = await machine.open('r')
  const reader = await openReader(node, writer.key)
  await collect(reader.batches({ live: false }))
  await (await reader.cursor()).commit(2)
  await (await reader.cursor('file')).commit(1, { length: 10, path: '/tmp/x' })
  await node.close()
  await writing.close()

  const alone = await machine.open('r')
  const cursors = await deadline('the cursors', openCursors(alone, writer.key))
  assert.equal(cursors.length, 3)
  const found = await cursors.list()
  assert.deepEqual(
    found.map(({ name, place, state }) => [name, place, state]),
    [
      ['default', 2, null],
      ['file', 1, { length: 10, path: '/tmp/x' }]
    ]
  )
  await (await cursors.get('default')).commit(0)
  await (await cursors.get('file')).remove()
  assert.deepEqual(
    (await cursors.list()).map(({ name, place }) => [name, place]),
    [['default', 0]]
  )
  assert.equal((await cursors.get('file')).place, null)
  await assert.rejects(cursors.get('no such name!'), { code: 'BAD_OPTION' })
})

test('a key that the store never heard of has no cursors', async (t) => {
  const machine = await createMachine(t)
  const cursors = await openCursors(await machine.open('r'), 'ab'.repeat(32))
  assert.deepEqual([cursors.length, await cursors.list()], [null, []])
})

test('commits made side by side end with the last one', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const reader = await openReader(node, writer.key)
  const cursor = await reader.cursor()
  await Promise.all([1, 2, 3].map((place) => cursor.commit(place, { length: place * 10 })))
  const again = await reader.cursor()
  assert.deepEqual([again.place, again.state], [3, { length: 30 }])
})
