import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { keyToBytes } from '@many-cores/protocol'
import { atEnd, deadline } from '@many-cores/testing'
import type Hypercore from 'hypercore'
import { type Batch, type Node, openReader, type Reader } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { createMachine, heldBytes, type Machine, untilHeld } from '../testing/support.ts'
import { createTutorialLog } from '../testing/tutorial.ts'

const MIB = 1 << 20

/** The data cores of the log in the store of `node`. */
function coresOf(node: Node, reader: Reader): Hypercore[] {
  return reader.manifest.cores.map(({ key }) => internalsOf(node).store.get({ key: keyToBytes(key) }))
}

/** A tutorial log whose cores have `count` blocks of `size` bytes each, and a reader on another machine. */
async function openLog(
  machine: Machine,
  { cores, count, size }: { cores: number; count: number; size: number }
): Promise<{ node: Node; reader: Reader }> {
  const writing = await machine.open('w')
  const log = await createTutorialLog(writing, cores)
  for (const [number, core] of log.cores.entries())
    for (let index = 0; index < count; index++) await core.append(Buffer.alloc(size, number * count + index))
  await openReader(writing, log.key)
  const node = await machine.open('r')
  return { node, reader: await openReader(node, log.key) }
}

for (const [cores, count, size] of [
  [3, 40, MIB],
  [16, 100, 1 << 16]
] as const) {
  const most = 8 * MIB + 2 * cores * size
  test(`of ${cores} cores with blocks of ${size} bytes, at most ${most / MIB} MiB are held for a consumer of one block`, async (t) => {
    const { node, reader } = await openLog(await createMachine(t), { cores, count, size })
    const sessions = coresOf(node, reader)
    const before = heldBytes()
    const batches = reader.batches({ live: false })
    const seen = [(await deadline('a block', batches.next())).value as Batch]
    // requested after all blocks that are read ahead, so they arrive after them
    await deadline('the last blocks', Promise.all(sessions.map((core) => core.get(count - 1))))
    await untilHeld(before + most)
    for await (const batch of batches) seen.push(batch)
    assert.equal(seen.length, cores * count)
    for (const core of reader.manifest.cores) {
      const own = seen.flatMap((batch) => [...batch]).filter((entry) => entry.core === core.name)
      assert.deepEqual(
        own.map(({ index }) => index),
        Array.from({ length: count }, (_, index) => index)
      )
    }
  })
}

test('a missing block of one core delays no other core', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const log = await createTutorialLog(writing, 2)
  for (const core of log.cores) for (let index = 0; index < 40; index++) await core.append(Buffer.alloc(MIB))
  await log.cores[0]?.clear(0)
  await openReader(writing, log.key)
  const reader = await openReader(await machine.open('r'), log.key)
  const batches = reader.batches()
  atEnd(t, () => batches.return())
  for (let index = 0; index < 40; index++) {
    const { value } = await deadline(`block ${index} of core-3`, batches.next())
    assert.deepEqual(value?.next, { 'core-2': 0, 'core-3': index + 1 })
  }
})

test('a consumer that is slower than the timeout does not get GONE', async (t) => {
  const { reader } = await openLog(await createMachine(t), { cores: 2, count: 40, size: MIB })
  let blocks = 0
  for await (const _ of reader.batches({ live: false, timeout: 3000 })) {
    // the time itself is the test: there is nothing to wait for
    if (++blocks === 5) await elapse(3500)
  }
  assert.equal(blocks, 80)
})
