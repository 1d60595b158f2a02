import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeJournalRecord, type JournalRecord } from '@many-cores/protocol'
import { deadline } from '@many-cores/testing'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { type NodeError, openReader, openWriter, type Reader } from '../index.ts'
import { createMachine, type Machine, seededLines } from '../testing/support.ts'

const LINES = seededLines(3000)

async function publish(machine: Machine): Promise<string> {
  const node = await machine.open('w')
  const writer = await openWriter(node)
  for (let from = 0; from < LINES.length; from += 100) await writer.publish(LINES.slice(from, from + 100))
  await node.close()
  return writer.key
}

/** A reader of the log of LINES, served by a writer's store that `patch` has changed. */
async function openPatched(t: TestContext, patch: (store: Corestore) => Promise<unknown>): Promise<Reader> {
  const machine = await createMachine(t)
  const key = await publish(machine)
  const store = new Corestore(`${machine.directory}/w`)
  await patch(store)
  await store.close()
  await openReader(await machine.open('w'), key)
  return await openReader(await machine.open('r'), key)
}

async function ready(store: Corestore, name: string): Promise<Hypercore> {
  const core = store.get({ name })
  await core.ready()
  return core
}

/** Appends a batch: a block of these lines to each core, and their record, with the members of `lie`. */
async function appendBatch(
  store: Corestore,
  [short, long]: [string, string],
  lie: Partial<JournalRecord> = {}
): Promise<void> {
  const [shorts, longs] = [await ready(store, 'core-2'), await ready(store, 'core-3')]
  const at = [
    [0, shorts.length, 1],
    [1, longs.length, 1]
  ] as const
  await shorts.append(Buffer.from(short))
  await longs.append(Buffer.from(long))
  const record = { seq: 3000, time: Date.now(), at, order: [0, 1, 1, 1], ...lie }
  await (await ready(store, 'core-1')).append(encodeJournalRecord(record))
}

test('a valid log is verified by a reader that has stored nothing of it, with its counts', async (t) => {
  const reader = await openPatched(t, async () => {})
  const seen: number[] = []
  const found = await deadline('the verdict', reader.verify({ onProgress: (lines) => seen.push(lines) }))
  const bytes = Buffer.byteLength(LINES.join(''))
  assert.deepEqual(found, { lines: 3000, batches: 30, blocks: 60, bytes, reached: true })
  assert.equal(seen.at(-1), 3000)
})

const FAULTS: readonly {
  readonly name: string
  readonly patch: (store: Corestore) => Promise<unknown>
  readonly error: { readonly code: string; readonly message: RegExp }
}[] = [
  {
    name: 'a line in another core than the rule names',
    patch: (store) => appendBatch(store, ['not a short line\n', 'a long line\n']),
    error: { code: 'MISROUTED', message: /position 3000 is in block 30 of core short/ }
  },
  {
    name: 'a journal record with a wrong seq',
    patch: (store) => appendBatch(store, ['a\n', 'a long line\n'], { seq: 3001 }),
    error: { code: 'BAD_RECORD', message: /^block 31 of core bootstrap: .*3001.*3000/ }
  },
  {
    name: 'a journal record with wrong lengths',
    patch: (store) =>
      appendBatch(store, ['a\n', 'a long line\n'], {
        at: [
          [0, 29, 1],
          [1, 30, 1]
        ]
      }),
    error: { code: 'BAD_RECORD', message: /^block 31 .*core 0 had 29 blocks before it; it had 30/ }
  },
  {
    name: 'a journal record with too many lines',
    patch: (store) => appendBatch(store, ['a\n', 'a long line\n'], { order: [0, 2, 1, 1] }),
    error: { code: 'BAD_BLOCK', message: /core short has fewer lines up to its block 30 .*position 3000/ }
  },
  {
    name: 'a block that no journal record names',
    patch: async (store) => (await ready(store, 'core-3')).append(Buffer.from('not in the journal\n')),
    error: { code: 'INTEGRITY', message: /core long has 31 blocks, .* 30: block 30 .* position 3000/ }
  },
  {
    name: 'a removed block that no peer has',
    patch: async (store) => (await ready(store, 'core-3')).clear(12),
    error: { code: 'GONE', message: /block 12 of core long/ }
  }
]

for (const { name, patch, error } of FAULTS) {
  test(`verify names the fault: ${name}`, async (t) => {
    const reader = await openPatched(t, patch)
    await assert.rejects(deadline('the verdict', reader.verify({ timeout: 1000 })), error)
  })
}

test('a log whose first record does not begin at 0 is refused', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const { key } = await openWriter(node)
  await node.close()
  const store = new Corestore(node.storage)
  await appendBatch(store, ['a\n', 'a long line\n'], { seq: 7 })
  await store.close()
  const reader = await openReader(await machine.open('w'), key)
  await assert.rejects(reader.follow({ live: false }).next(), { code: 'BAD_RECORD', message: /^block 1 of/ })
})

test('verify finds a block that the disk has changed since it arrived', async (t) => {
  const machine = await createMachine(t)
  const key = await publish(machine)
  const store = new Corestore(`${machine.directory}/w`)
  const core = await ready(store, 'core-3')
  const block = Buffer.from(await core.get(3))
  block[0] = (block[0] ?? 0) ^ 1
  // around all checks of Hypercore, as a failing disk would
  const { storage } = (core.core as unknown as { state: { storage: RawStorage } }).state
  const tx = storage.write()
  tx.putBlock(3, block)
  await tx.flush()
  await store.close()
  const reader = await openReader(await machine.open('w'), key)
  await assert.rejects(reader.verify(), { code: 'INTEGRITY', message: /core long: 1 blocks/ })
})

test('a verification that a close interrupts ends with CLOSED, whatever it was at', async (t) => {
  const machine = await createMachine(t)
  const key = await publish(machine)
  for (let turns = 0; turns < 30; turns++) {
    const node = await machine.open('w')
    const reader = await openReader(node, key)
    let onEnd: () => void = () => {}
    const isRead = new Promise<void>((resolve) => {
      onEnd = resolve
    })
    const verdict = reader.verify({ onProgress: (lines) => lines === LINES.length && onEnd() })
    const code = verdict.then(
      () => 'CLOSED',
      (error: unknown) => (error as NodeError).code
    )
    await deadline('the last line', isRead)
    for (let turn = 0; turn < turns; turn++) await nextTurn()
    await deadline('the node to close', node.close())
    assert.equal(await deadline('the verdict', code), 'CLOSED', `after ${turns} turns`)
  }
})

interface RawStorage {
  write(): { putBlock(index: number, bytes: Uint8Array): void; flush(): Promise<unknown> }
}
