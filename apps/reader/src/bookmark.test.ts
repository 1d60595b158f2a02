import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { Cursor, Place } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'

/** A cursor that remembers what was committed; `commit` is replaced to make it fail. */
class Recorder implements Cursor {
  readonly name = 'default'
  readonly committed: Place[] = []
  place: Place | null = null

  async commit(place: Place): Promise<void> {
    this.place = place
    this.committed.push(place)
  }
}

function stopClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_000_000 })
}

test('the first place is committed at once', async (t) => {
  stopClock(t)
  const cursor = new Recorder()
  await new Bookmark(cursor).move(10)
  assert.deepEqual(cursor.committed, [10])
})

test('of the places of 100 ms the last one is committed', async (t) => {
  stopClock(t)
  const cursor = new Recorder()
  const bookmark = new Bookmark(cursor)
  for (const place of [1, 2, 3]) await bookmark.move(place)
  assert.deepEqual(cursor.committed, [1])
  t.mock.timers.tick(99)
  assert.deepEqual(cursor.committed, [1])
  t.mock.timers.tick(1)
  assert.deepEqual(cursor.committed, [1, 3])
})

test('a move after 100 ms commits by itself', async (t) => {
  stopClock(t)
  const cursor = new Recorder()
  const bookmark = new Bookmark(cursor)
  await bookmark.move(1)
  t.mock.timers.tick(100)
  await bookmark.move(2)
  assert.deepEqual(cursor.committed, [1, 2])
})

test('flush commits the last place at once, and its timer nothing more', async (t) => {
  stopClock(t)
  const cursor = new Recorder()
  const bookmark = new Bookmark(cursor)
  await bookmark.move(1)
  await bookmark.move(2)
  await bookmark.flush()
  assert.deepEqual(cursor.committed, [1, 2])
  t.mock.timers.tick(1000)
  assert.deepEqual(cursor.committed, [1, 2])
})

test('flush commits nothing where nothing was delivered', async () => {
  const cursor = new Recorder()
  await new Bookmark(cursor).flush()
  assert.deepEqual(cursor.committed, [])
})

test('a commit that fails in the background fails the next move and flush, too', async (t) => {
  stopClock(t)
  const cursor = new Recorder()
  const bookmark = new Bookmark(cursor)
  await bookmark.move(1)
  await bookmark.move(2)
  const fault = new Error('no space')
  cursor.commit = () => Promise.reject(fault)
  t.mock.timers.tick(100)
  t.mock.timers.tick(100)
  await assert.rejects(bookmark.move(3), fault)
  await assert.rejects(bookmark.flush(), fault)
})
