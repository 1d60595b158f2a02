import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import {
  type CursorState,
  knownLength,
  openCursors,
  openReader,
  openWriter,
  type Position
} from '../index.ts'
import { collect, createMachine } from '../testing/support.ts'

test('cursors are listed from their files alone, and can be moved and removed', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  await writer.publish(['a\n', 'b\n', 'c\n'])
  const node = await machine.open('r')
  const reader = await openReader(node, writer.key)
  await collect(reader.batches({ live: false }))
  await (await reader.cursor()).commit(2)
  await (await reader.cursor('file')).commit(1, { length: 10, path: '/tmp/x' })

  await using cursors = openCursors(node.storage, writer.key)
  const found = await cursors.list()
  assert.deepEqual(
    found.map(({ name, position, state }) => [name, position, state]),
    [
      ['default', 2, null],
      ['file', 1, { length: 10, path: '/tmp/x' }]
    ]
  )
  for (const name of ['default', 'file'])
    await assert.rejects((await cursors.get(name)).commit(0), { code: 'STORE_IN_USE' })
  const moved = await reader.cursor()
  await node.close()
  await assert.rejects(moved.commit(3), { code: 'CLOSED' })
  await (await cursors.get('default')).commit(0)
  await (await cursors.get('file')).remove()
  assert.deepEqual(
    (await cursors.list()).map(({ name, position }) => [name, position]),
    [['default', 0]]
  )
  assert.equal((await cursors.get('file')).position, null)
  await assert.rejects(cursors.get('no such name!'), { code: 'BAD_OPTION' })
})

test('a log that was never read has no cursors, and no length', async (t) => {
  const machine = await createMachine(t)
  const key = 'ab'.repeat(32)
  const home = join(machine.directory, 'none')
  assert.deepEqual(await openCursors(home, key).list(), [])
  assert.equal(await knownLength({ home, key }), null)
  assert.deepEqual(await readdir(machine.directory), [])
})

test('a cursor that another node has moved since is read again when it is locked', async (t) => {
  const machine = await createMachine(t)
  const directory = join(machine.directory, 'home')
  const key = 'ab'.repeat(32)
  await using second = openCursors(directory, key)
  const waiting = await second.get('default')
  {
    await using first = openCursors(directory, key)
    await (await first.get('default')).commit(10)
    await assert.rejects(waiting.lock(), { code: 'STORE_IN_USE' })
  }
  assert.equal(waiting.position, null)
  await waiting.lock()
  assert.equal(waiting.position, 10)
})

test('concurrent commits end with the last one', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const reader = await openReader(node, writer.key)
  const cursor = await reader.cursor()
  await Promise.all([1, 2, 3].map((position) => cursor.commit(position, { length: position * 10 })))
  const again = await reader.cursor()
  assert.deepEqual([again.position, again.state], [3, { length: 30 }])
})

/** Arguments that a program without types can pass, and that must be refused. */
const INVALID: readonly (readonly [position: unknown, state?: unknown])[] = [
  [-1],
  [-0],
  [1.5],
  [2 ** 60],
  [Number.NaN],
  [Number.POSITIVE_INFINITY],
  [5n],
  ['5'],
  [null],
  [undefined],
  [[1, 2]],
  [new Date()],
  [{ 'core-2': -1 }],
  [{ 'core-2': 1.5, 'core-3': 2 }],
  [{ 'core-2': { nested: 1 } }],
  [Object.fromEntries(Array.from({ length: 70_000 }, (_, core) => [`core-${core}`, core]))],
  [1, { nested: { length: 1 } }],
  [1, { list: [1] }],
  [1, { length: Number.NaN }],
  [1, { length: undefined }],
  [1, { length: 1n }],
  [1, { toJSON: () => 1 }],
  [1, []],
  [1, new Date()],
  [1, 'state'],
  [1, { text: 'x'.repeat(1024 * 1024) }]
]

test('a position or state that cannot be read back is BAD_OPTION, and the cursor does not change', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const reader = await openReader(node, writer.key)
  const cursor = await reader.cursor()
  await cursor.commit(7, { length: 70 })
  for (const [position, state] of INVALID) {
    const committing = cursor.commit(position as Position, state as CursorState)
    await assert.rejects(committing, { name: 'NodeError', code: 'BAD_OPTION' }, inspect([position, state]))
    assert.deepEqual([cursor.position, cursor.state], [7, { length: 70 }])
  }
  const again = await reader.cursor()
  assert.deepEqual([again.position, again.state], [7, { length: 70 }])
})

test('a committed position and state are read back as they were at the time', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const reader = await openReader(node, writer.key)
  const many = Object.fromEntries(
    Array.from({ length: 16_384 }, (_, core) => [`core-${core + 2}`, 2 ** 53 - 1])
  )
  const positions: Position[] = [0, Number.MAX_SAFE_INTEGER, {}, { 'core-2': 0 }, many]
  const states: (CursorState | undefined)[] = [
    undefined,
    {},
    { text: '\ud800 \u0000', number: -1.5, yes: true, nothing: null, place: 3 }
  ]
  for (const position of positions)
    for (const state of states) {
      await (await reader.cursor()).commit(position, state)
      const cursor = await reader.cursor()
      assert.deepEqual([cursor.position, cursor.state], [position, state ?? null])
    }
  const state = { length: 1 }
  const committing = (await reader.cursor()).commit(1, state)
  state.length = 2
  await committing
  assert.deepEqual((await reader.cursor()).state, { length: 1 })
})

test('a damaged cursor is listed, can be removed, and does not affect the others', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const reader = await openReader(node, writer.key)
  const directory = join(node.storage, 'cursors', writer.key)
  await (await reader.cursor('a')).commit(1)
  await (await reader.cursor('z')).commit(2)
  const whole = await readFile(join(directory, 'a.json'), 'utf8')
  const damages = [
    whole.replace('1', '3'),
    whole.slice(0, -10),
    '{"position":1,"state":null}',
    'x',
    '',
    '\0'.repeat(40)
  ]
  for (const [index, damage] of damages.entries())
    await writeFile(join(directory, `bad-${index}.json`), damage)

  const cursors = openCursors(node.storage, writer.key)
  const bad = damages.map((_, index) => `bad-${index}`)
  for (const found of [await cursors.list(), await reader.cursors()])
    assert.deepEqual(
      found.map(({ name, position, isDamaged }) => [name, position, isDamaged]),
      [['a', 1, false], ...bad.map((name) => [name, null, true]), ['z', 2, false]]
    )
  for (const name of bad) {
    await assert.rejects(cursors.get(name), { code: 'STORE_REFUSED' })
    await assert.rejects(reader.cursor(name), { code: 'STORE_REFUSED' })
  }
  for (const cursor of await reader.cursors()) if (cursor.isDamaged) await cursor.remove()
  assert.deepEqual(
    (await cursors.list()).map(({ name }) => name),
    ['a', 'z']
  )
  assert.equal((await cursors.get('bad-0')).position, null)
})
