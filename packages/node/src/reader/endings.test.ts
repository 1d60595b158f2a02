import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { deadline } from '@many-cores/testing'
import { type Node, NodeError, openReader, openWriter, type Reader } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { createMachine } from '../testing/support.ts'
import { createTutorialLog } from '../testing/tutorial.ts'

/** Rounds of each test. `ENDINGS=5000` for a long run. */
const ENDINGS = Number(process.env.ENDINGS ?? 100)

/** The number of Hypercore sessions that are open in the node's store. */
function sessionCount(node: Node): number {
  const { cores } = internalsOf(node).store as unknown as { cores: Iterable<{ activeSessions: number }> }
  let count = 0
  for (const { activeSessions } of cores) count += activeSessions
  return count
}

type Use = (reader: Reader, signal: AbortSignal) => Promise<unknown>

async function exhaust(lines: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of lines);
}

async function takeOne(lines: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of lines) break
}

const ITERATIONS: Readonly<Record<string, Use>> = {
  follow: (reader, signal) => exhaust(reader.follow({ signal })),
  'follow of one core': (reader) => takeOne(reader.follow({ cores: [reader.manifest.cores[1]?.name ?? ''] })),
  'follow and break': (reader) => takeOne(reader.follow()),
  'follow from the end': (reader, signal) => exhaust(reader.follow({ from: 'end', signal })),
  'batches that end': (reader, signal) => exhaust(reader.batches({ live: false, signal })),
  'batches and break': (reader) => takeOne(reader.batches({ live: false }))
}

const CALLS: Readonly<Record<string, Use>> = {
  range: (reader, signal) => exhaust(reader.range(-300, 'end', { signal })),
  at: (reader, signal) => reader.at(randomInt(1000), { signal }),
  find: (reader, signal) => reader.find(Date.now() - 10, { signal }),
  length: (reader, signal) => reader.length({ signal }),
  verify: (reader, signal) => reader.verify({ signal })
}

/** Uses readers ENDINGS times: to the end, or aborted or closed at some moment before. */
async function useRepeatedly(node: Node, key: string, uses: readonly Use[]): Promise<void> {
  for (let round = 0; round < ENDINGS; round++) {
    const reader = await openReader(node, key)
    const abort = new AbortController()
    const ending = Promise.all(
      uses.map((use) =>
        use(reader, abort.signal).catch((error: unknown) => {
          if (!abort.signal.aborted && !isClosed(error)) throw error
        })
      )
    )
    if (round % 10 > 0) await elapse(randomInt(6))
    if (round % 2 === 0) abort.abort()
    await reader.close()
    await deadline('the end of each use', ending)
    assert.equal(getEventListeners(abort.signal, 'abort').length, 0)
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof NodeError && error.code === 'CLOSED'
}

for (const kind of ['log', 'tutorial log']) {
  test(`of a ${kind} of 16 cores, no session is left after ${ENDINGS} iterations of each kind that ended in any way`, async (t) => {
    const machine = await createMachine(t)
    const writing = await machine.open('w')
    const key = await (kind === 'log' ? publishLog(writing) : publishTutorial(writing))
    const node = await machine.open('r')
    await (await openReader(node, key)).close()
    const uses = Object.entries(kind === 'log' ? { ...ITERATIONS, ...CALLS } : ITERATIONS)
    const before = sessionCount(node)
    for (const [name, use] of uses) {
      await useRepeatedly(node, key, [use])
      assert.equal(sessionCount(node), before, name)
    }
    await useRepeatedly(
      node,
      key,
      uses.map(([, use]) => use)
    )
    assert.equal(sessionCount(node), before, 'all at once')
  })
}

async function publishLog(node: Node): Promise<string> {
  const writer = await openWriter(node, { routing: { rule: 'round-robin', cores: 16 } })
  for (let batch = 0; batch < 20; batch++)
    await writer.publish(Array.from({ length: 100 }, (_, line) => `line ${batch} ${line}\n`))
  return writer.key
}

async function publishTutorial(node: Node): Promise<string> {
  const { key, cores } = await createTutorialLog(node, 16)
  for (const core of cores)
    await core.append(Array.from({ length: 50 }, (_, index) => Buffer.from(`block ${index}\n`)))
  await openReader(node, key)
  return key
}

test('after a search stopped early, later reads get their lines', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('writer'))
  for (let line = 0; line < 1000; line++) await writer.publish([`line ${line}\n`])
  const reader = await openReader(await machine.open('reader'), writer.key)
  // requests 256 records, and needs 33 of them
  assert.equal(await reader.locate(-281, { cores: ['long'] }), 719)
  const entry = await deadline('line 5', reader.at(5))
  assert.equal(entry?.position, 5)
})
