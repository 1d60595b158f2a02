import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeJournalRecord, type JournalRecord, keyFromBytes } from '@many-cores/protocol'
import { atEnd, deadline } from '@many-cores/testing'
import Corestore from 'corestore'
import type RocksDB from 'rocksdb-native'
import { openReader, openWriter } from '../index.ts'
import { internalsOf } from '../internals.ts'
import {
  chunked,
  collect,
  createLog,
  createMachine,
  type Machine,
  seededLines,
  take,
  text
} from '../testing/support.ts'

const LINES = seededLines(3000)

/** A writer with LINES in about 30 batches, and a node to read it from. */
async function publishLines(machine: Machine): Promise<{ key: string }> {
  const writer = await openWriter(await machine.open('w'))
  for (let from = 0; from < LINES.length; from += 100) await writer.publish(LINES.slice(from, from + 100))
  return writer
}

/** From now on, each read from the database takes this much longer. */
function slowDown(rocks: RocksDB, milliseconds: number): void {
  const state = rocks._state as RocksDB['_state'] & {
    createReadBatch(db: RocksDB, options?: object): { tryFlush: () => void }
  }
  const create = state.createReadBatch.bind(state)
  state.createReadBatch = (db, options) => {
    const batch = create(db, options)
    const { tryFlush } = Object.getPrototypeOf(batch) as typeof batch
    batch.tryFlush = () => void setTimeout(() => tryFlush.call(batch), milliseconds)
    return batch
  }
}

test('a reader that starts late gets the history, and then new lines', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  await writer.publish(['one\n', 'and two\n'])
  const reader = await openReader(await machine.open('r'), writer.key)
  const batches = reader.batches()
  assert.deepEqual(await take(batches, 2), ['one\n', 'and two\n'])
  await writer.publish(['3\n'])
  assert.deepEqual(await take(batches, 1), ['3\n'])
})

test('a reader opened before its writer gets everything', async (t) => {
  const machine = await createMachine(t)
  const first = await machine.open('w')
  const { key } = await openWriter(first)
  await first.close()
  const opening = openReader(await machine.open('r'), key)
  const writer = await openWriter(await machine.open('w'))
  await writer.publish(['at last\n'])
  const reader = await deadline('the reader', opening)
  assert.deepEqual(await take(reader.batches(), 1), ['at last\n'])
})

test('entries name position, core, key, block and time', async (t) => {
  const machine = await createMachine(t)
  const began = Date.now()
  const writer = await openWriter(await machine.open('w'))
  await writer.publish(['a\n', 'a longer line\n', 'b\n'])
  await writer.publish(['c\n'])
  const reader = await openReader(await machine.open('r'), writer.key)
  const entries = []
  for await (const entry of reader.follow({ live: false })) entries.push(entry)
  const [short, long] = writer.manifest.cores
  assert.deepEqual(
    entries.map(({ position, line, core, key, index }) => [position, text(line), core, key, index]),
    [
      [0, 'a\n', 'short', short?.key, 0],
      [1, 'a longer line\n', 'long', long?.key, 0],
      [2, 'b\n', 'short', short?.key, 0],
      [3, 'c\n', 'short', short?.key, 1]
    ]
  )
  for (const { time } of entries) assert.ok(time !== null && time >= began && time <= Date.now())
})

test('a reader begins at its from position', async (t) => {
  const machine = await createMachine(t)
  const { key } = await publishLines(machine)
  const reader = await openReader(await machine.open('r'), key)
  for (const from of [0, 1, 99, 100, 101, 1550, 2999, 3000, -1, -10, -250, -3000, -9999] as const) {
    const expected = from < 0 ? LINES.slice(from) : LINES.slice(from)
    const output = await collect(reader.batches({ from, live: false }))
    assert.equal(output.toString(), expected.join(''), `from ${from}`)
  }
  assert.equal((await collect(reader.batches({ from: 'end', live: false }))).byteLength, 0)
})

test('a reader that begins at the end, or beyond it, gets the lines published there', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  await writer.publish(['old\n'])
  const reader = await openReader(await machine.open('r'), writer.key)
  const atEnd = reader.batches({ from: 'end' })
  const beyond = reader.batches({ from: 3 })
  const [first, second] = [take(atEnd, 1), take(beyond, 1)]
  // both have begun before a new line arrives
  await writer.publish(['position 1\n'])
  assert.deepEqual(await first, ['position 1\n'])
  await writer.publish(['position 2\n', 'position 3\n'])
  assert.deepEqual(await second, ['position 3\n'])
})

test('only the blocks of the wanted cores are downloaded, and positions are those of the log', async (t) => {
  const machine = await createMachine(t)
  const { key } = await publishLines(machine)
  const node = await machine.open('r')
  const reader = await openReader(node, key)
  const found: [number | null, string][] = []
  for await (const { position, line } of reader.follow({ cores: ['short'], live: false }))
    found.push([position, text(line)])
  const expected = LINES.map((line, position): [number, string] => [position, line]).filter(
    ([, line]) => line.length < 5
  )
  assert.deepEqual(found, expected)
  await assert.rejects(reader.follow({ cores: ['none'] }).next(), {
    code: 'BAD_OPTION',
    message: /it has short, long/
  })
  await node.close()

  const store = new Corestore(node.storage)
  atEnd(t, () => store.close())
  const long = store.get({ key: reader.manifest.cores[1]?.key ?? '' })
  await long.ready()
  assert.equal(long.contiguousLength, 0)
  assert.equal(await long.has(0), false)
})

test('break, abort and close each end an iteration that waits', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  await writer.publish(['one\n'])
  const reader = await openReader(await machine.open('r'), writer.key)
  for await (const entry of reader.follow()) {
    assert.equal(entry.position, 0)
    break
  }
  const abort = new AbortController()
  const aborted = reader.follow({ from: 'end', signal: abort.signal }).next()
  const closed = reader.follow({ from: 'end' }).next()
  abort.abort()
  assert.deepEqual(await deadline('the aborted iteration', aborted), { done: true, value: undefined })
  await reader.close()
  assert.deepEqual(await deadline('the closed iteration', closed), { done: true, value: undefined })
})

test('several iterations of one reader are independent', async (t) => {
  const machine = await createMachine(t)
  const { key } = await publishLines(machine)
  const reader = await openReader(await machine.open('r'), key)
  const outputs = await Promise.all(
    [0, 500, 2999].map((from) => collect(reader.batches({ from, live: false })))
  )
  assert.deepEqual(
    outputs.map(String),
    [0, 500, 2999].map((from) => LINES.slice(from).join(''))
  )
})

test('a second reader is served by the first alone', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  const input = Buffer.from(LINES.join(''))
  await writer.publishBytes(chunked(input, 1000))
  const first = await openReader(await machine.open('r1'), writer.key)
  assert.ok((await collect(first.batches({ live: false }))).equals(input))
  await writing.close()
  const second = await openReader(await machine.open('r2'), writer.key)
  assert.ok((await collect(second.batches({ live: false }))).equals(input))
})

test('a reader opened again without a peer delivers the stored lines, and then throws NOT_FOUND', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const { key } = await openWriter(writing).then(async (writer) => {
    await writer.publish(LINES.slice(0, 10))
    return writer
  })
  const first = await machine.open('r')
  await collect((await openReader(first, key)).batches({ live: false }))
  await first.close()
  await writing.close()
  const reader = await openReader(await machine.open('r'), key)
  const found: string[] = []
  const reading = (async () => {
    for await (const { line } of reader.follow({ live: false, timeout: 100 })) found.push(text(line))
  })()
  await assert.rejects(reading, { code: 'NOT_FOUND' })
  assert.deepEqual(found, LINES.slice(0, 10))
})

test('stored blocks are delivered from a disk that is slower than the timeout', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const { key } = await openWriter(node).then(async (writer) => {
    await writer.publish(LINES.slice(0, 10))
    return writer
  })
  slowDown(internalsOf(node).store.storage.rocks, 50)
  const reader = await openReader(node, key)
  const found = await take(reader.batches({ from: 1, until: 10, live: false, timeout: 5 }), 9)
  assert.deepEqual(found, LINES.slice(1, 10))
})

test('a key that no peer serves is NOT_FOUND within the timeout, with the reason', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('r')
  const opening = openReader(node, 'ab'.repeat(32), { timeout: 200 })
  await assert.rejects(deadline('the rejection', opening, 3000), {
    code: 'NOT_FOUND',
    message: /^Could not connect to the writer peer: no process of this user on this machine serves this log/
  })
  await assert.rejects(openReader(node, 'abc'), { code: 'BAD_KEY' })
})

test('a core whose block 0 is not a manifest is BAD_MANIFEST', async (t) => {
  const machine = await createMachine(t)
  const store = new Corestore(`${machine.directory}/r`)
  const core = store.get({ name: 'anything' })
  await core.append(Buffer.from('hello'))
  const key = keyFromBytes(core.key as Uint8Array)
  await store.close()
  await assert.rejects(openReader(await machine.open('r'), key), { code: 'BAD_MANIFEST' })
})

test('an aborted open leaves the node usable', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('r')
  const abort = new AbortController()
  const opening = openReader(node, 'ab'.repeat(32), { signal: abort.signal })
  abort.abort(new Error('changed my mind'))
  await assert.rejects(deadline('the rejection', opening), /changed my mind/)
  const { key } = await publishLines(machine)
  const reader = await openReader(node, key)
  assert.deepEqual(await take(reader.batches({ from: -1 }), 1), LINES.slice(-1))
})

test('a cursor survives a restart, and each name has its own', async (t) => {
  const machine = await createMachine(t)
  const { key } = await publishLines(machine)
  const before = await machine.open('r')
  const reader = await openReader(before, key)
  const cursor = await reader.cursor()
  assert.equal(cursor.position, null)
  const { value: batch } = await reader.batches().next()
  assert.ok(batch)
  await cursor.commit(batch.slice(0, 40).next)
  await (await reader.cursor('other')).commit(7)
  await assert.rejects(reader.cursor('no such name!'), { code: 'BAD_OPTION' })
  await before.close()

  const again = await openReader(await machine.open('r'), key)
  assert.equal((await again.cursor()).position, 40)
  assert.equal((await again.cursor('other')).position, 7)
  assert.equal((await again.cursor('third')).position, null)
  assert.equal((await collect(again.batches({ from: 40, live: false }))).toString(), LINES.slice(40).join(''))
})

interface Lie {
  readonly name: string
  readonly code: string
  /** The record of a batch of "a\n" in core 0 and "long line\n" in core 1, the third of the log. */
  readonly record: Partial<JournalRecord>
  readonly short?: string
}

const TRUTH = {
  seq: 4,
  time: 1,
  at: [
    [0, 2, 1],
    [1, 2, 1]
  ],
  order: [0, 1, 1, 1]
} as const

const LIES: readonly Lie[] = [
  { name: 'a gap in seq', code: 'BAD_RECORD', record: { seq: 5 } },
  { name: 'a seq that decreases', code: 'BAD_RECORD', record: { seq: 3 } },
  { name: 'a time that decreases', code: 'BAD_RECORD', record: { time: 0 } },
  {
    name: 'a wrong length of a core',
    code: 'BAD_RECORD',
    record: {
      at: [
        [0, 1, 1],
        [1, 2, 1]
      ]
    }
  },
  { name: 'more lines than the block has', code: 'BAD_BLOCK', record: { order: [0, 2, 1, 1] } },
  { name: 'fewer lines than the block has', code: 'BAD_BLOCK', record: {}, short: 'a\nb\n' },
  {
    name: 'a line in another core than the rule names',
    code: 'MISROUTED',
    record: {},
    short: 'a long line\n'
  },
  {
    name: 'a core that the log does not have',
    code: 'BAD_RECORD',
    record: {
      at: [
        [0, 2, 1],
        [2, 2, 1]
      ],
      order: [0, 1, 2, 1]
    }
  }
]

for (const { name, code, record, short = 'a\n' } of LIES) {
  test(`a journal that is wrong is refused while following: ${name}`, async (t) => {
    const machine = await createMachine(t)
    const honest = await machine.open('w')
    const writer = await openWriter(honest)
    await writer.publish(['x\n', 'the long one\n'])
    await writer.publish(['y\n', 'the long one\n'])
    await honest.close()
    const store = new Corestore(honest.storage)
    await store.get({ name: 'core-2' }).append(Buffer.from(short))
    await store.get({ name: 'core-3' }).append(Buffer.from('long line\n'))
    const journal = store.get({ name: 'core-1' })
    await journal.ready()
    const time = record.time ?? Date.now()
    await journal.append(encodeJournalRecord({ ...TRUTH, ...record, time }))
    await store.close()

    const reader = await openReader(await machine.open('w'), writer.key)
    const batches = reader.batches({ live: false })
    assert.deepEqual(await take(batches, 4), ['x\n', 'the long one\n', 'y\n', 'the long one\n'])
    await assert.rejects(batches.next(), { code })
  })
}

test('a block that the journal names and no peer has is reported, and GONE after the timeout', async (t) => {
  const machine = await createMachine(t)
  const honest = await machine.open('w')
  const writer = await openWriter(honest)
  await writer.publish(['x\n'])
  await honest.close()
  const store = new Corestore(honest.storage)
  const journal = store.get({ name: 'core-1' })
  await journal.ready()
  await journal.append(encodeJournalRecord({ seq: 1, time: Date.now(), at: [[0, 1, 1]], order: [0, 1] }))
  await store.close()

  const log = createLog()
  const reader = await openReader(await machine.open('w', { onStatus: log.onStatus }), writer.key)
  const batches = reader.batches({ live: false, timeout: 6000 })
  await take(batches, 1)
  const end = assert.rejects(batches.next(), { code: 'GONE', message: /block 1 of core short/ })
  assert.deepEqual(await log.until('waiting'), { state: 'waiting', core: 'short', index: 1 })
  await end
})
