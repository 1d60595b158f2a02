import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { Bookmark } from './bookmark.ts'

interface Mark {
  readonly position: number
}

/** Records commits in order; replace `commit` to make it fail. */
class Recorder {
  readonly committed: number[] = []
  commit = async ({ position }: Mark): Promise<void> => {
    this.committed.push(position)
  }
  readonly bookmark: Bookmark<Mark> = new Bookmark((mark) => this.commit(mark))
}

function stopClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_000_000 })
}

/** Runs the microtasks that a timer started. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test('the first position is committed at once', async (t) => {
  stopClock(t)
  const { bookmark, committed } = new Recorder()
  await bookmark.move({ position: 10 })
  assert.deepEqual(committed, [10])
})

test('within 100 ms only the last position is committed', async (t) => {
  stopClock(t)
  const { bookmark, committed } = new Recorder()
  for (const position of [1, 2, 3]) await bookmark.move({ position })
  assert.deepEqual(committed, [1])
  t.mock.timers.tick(99)
  await settle()
  assert.deepEqual(committed, [1])
  t.mock.timers.tick(1)
  await settle()
  assert.deepEqual(committed, [1, 3])
})

test('a move is committed after 100 ms without a call', async (t) => {
  stopClock(t)
  const { bookmark, committed } = new Recorder()
  await bookmark.move({ position: 1 })
  t.mock.timers.tick(100)
  await bookmark.move({ position: 2 })
  assert.deepEqual(committed, [1, 2])
})

test('flush commits the last position at once and cancels the timer', async (t) => {
  stopClock(t)
  const { bookmark, committed } = new Recorder()
  await bookmark.move({ position: 1 })
  await bookmark.move({ position: 2 })
  await bookmark.flush()
  assert.deepEqual(committed, [1, 2])
  t.mock.timers.tick(1000)
  await settle()
  assert.deepEqual(committed, [1, 2])
})

test('flush without a delivery commits nothing', async () => {
  const { bookmark, committed } = new Recorder()
  await bookmark.flush()
  assert.deepEqual(committed, [])
})

test('after a commit fails in the background, the next move and flush fail too', async (t) => {
  stopClock(t)
  const recorder = new Recorder()
  const { bookmark } = recorder
  await bookmark.move({ position: 1 })
  await bookmark.move({ position: 2 })
  const fault = new Error('no space')
  recorder.commit = () => Promise.reject(fault)
  t.mock.timers.tick(100)
  await settle()
  t.mock.timers.tick(100)
  await assert.rejects(bookmark.move({ position: 3 }), fault)
  await assert.rejects(bookmark.flush(), fault)
})
