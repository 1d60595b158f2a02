import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import {
  encodeJournalRecord,
  keyToBytes,
  MAX_BATCH_BYTES,
  MAX_LINE_BYTES,
  type RoutingRule
} from '@many-cores/protocol'
import { deadline } from '@many-cores/testing'
import { openReader, openWriter, type Status } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { collect, createMachine, heldBytes, untilHeld } from '../testing/support.ts'

const MIB = 1 << 20

/** Lines of `size` bytes, `bytes` in all; the last one may be shorter. */
function linesOf(bytes: number, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes / size) }, (_, line) => {
    const own = Math.min(size, bytes - line * size)
    return Buffer.alloc(own, `${line} `).fill('\n', own - 1)
  })
}

const rule = (cores: number): RoutingRule => ({ rule: 'round-robin', cores })

const AROUND = [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 9 * MIB, MAX_BATCH_BYTES - 1, MAX_BATCH_BYTES]

for (const [cores, batches, size] of [
  [1, AROUND, 1 << 16],
  [4, AROUND, 1 << 16],
  [64, [9 * MIB, MAX_BATCH_BYTES], 1 << 12],
  [3, AROUND, 3 * MIB],
  [4, [MAX_BATCH_BYTES, 100, MAX_BATCH_BYTES, 100], MAX_LINE_BYTES],
  [1, [100, 100, MAX_LINE_BYTES, MAX_LINE_BYTES, 100, MAX_LINE_BYTES], MAX_LINE_BYTES]
] as const) {
  test(`batches of ${batches.map((bytes) => (bytes / MIB).toFixed(1)).join(', ')} MiB in lines of ${size} bytes over ${cores} cores are read`, async (t) => {
    const machine = await createMachine(t)
    const writer = await openWriter(await machine.open('w'), { routing: rule(cores) })
    const published = batches.map((bytes) => linesOf(bytes, size))
    for (const lines of published) await writer.publish(lines)
    const reader = await openReader(await machine.open('r'), writer.key)
    const found: Uint8Array[] = []
    const reading = async (): Promise<void> => {
      for await (const batch of reader.batches({ live: false, timeout: 5000 })) found.push(batch.bytes())
    }
    await deadline('all batches', reading())
    assert.deepEqual(
      found.map(({ byteLength }) => byteLength),
      batches
    )
    for (const [index, bytes] of found.entries())
      assert.ok(Buffer.concat(published[index] as Buffer[]).equals(bytes), `batch ${index} is another`)
  })
}

test('a long block requested together with short ones arrives over the same connection', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'), { routing: rule(4) })
  const lines: Buffer[] = []
  for (let batch = 0; batch < 8; batch++) {
    const published = linesOf(MAX_BATCH_BYTES, MAX_LINE_BYTES)
    await writer.publish(published)
    await writer.publish(['short\n'])
    lines.push(...published, Buffer.from('short\n'))
  }
  let disconnected = 0
  const onStatus = ({ state }: Status): void => {
    if (state === 'disconnected') disconnected++
  }
  const reader = await openReader(await machine.open('r', { onStatus }), writer.key)
  const bytes = await deadline('the batch', collect(reader.batches({ live: false })))
  assert.ok(Buffer.concat(lines).equals(bytes))
  assert.equal(disconnected, 0)
})

test('a consumer that is slower than the timeout does not get GONE', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'), { routing: rule(4) })
  for (let batch = 0; batch < 4; batch++) await writer.publish(linesOf(9 * MIB, 1 << 16))
  const reader = await openReader(await machine.open('r'), writer.key)
  let batches = 0
  for await (const _ of reader.batches({ live: false, timeout: 3000 })) {
    // the time itself is the test: there is nothing to wait for
    if (++batches === 2) await elapse(3500)
  }
  assert.equal(batches, 4)
})

test('long lines that arrive while a live consumer waits are held one at a time', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'), { routing: rule(8) })
  await writer.publish(linesOf(800, 100))
  const node = await machine.open('r')
  const reader = await openReader(node, writer.key)
  const batches = reader.batches()
  await batches.next()
  // at the end of the log, the next block of every core is prefetched
  const next = batches.next()
  await writer.publish(linesOf(100, 100))
  await next
  const others = reader.manifest.cores.slice(1)
  const sessions = others.map(({ key }) => internalsOf(node).store.get({ key: keyToBytes(key) }))
  await Promise.all(sessions.map((core) => core.ready()))
  const before = heldBytes()
  const landed = Promise.all(sessions.map((core) => once(core, 'download')))
  for (const _ of others) await writer.publish(linesOf(MAX_LINE_BYTES, MAX_LINE_BYTES))
  await deadline('all lines on the disk', landed)
  await untilHeld(before + 3 * MAX_LINE_BYTES)
  for (const { name } of others) {
    const { value } = await deadline(`the line in ${name}`, batches.next())
    assert.deepEqual([value?.byteLength, [...(value ?? [])][0]?.core], [MAX_LINE_BYTES, name])
  }
  await batches.return()
})

test('a batch of more than 16 MiB, which no writer may make, is refused', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node, { routing: rule(1) })
  await writer.publish(['honest\n'])
  await writer.close()
  const { store } = internalsOf(node)
  const lines = linesOf(MAX_BATCH_BYTES + MIB, MIB)
  await store.get({ name: 'core-2' }).append(lines)
  const record = { seq: 1, time: Date.now(), at: [[0, 1, lines.length]] as const, order: [0, lines.length] }
  await store.get({ name: 'core-1' }).append(encodeJournalRecord(record))
  const batches = (await openReader(node, writer.key)).batches({ live: false, timeout: 5000 })
  assert.equal((await batches.next()).value?.count, 1)
  await assert.rejects(deadline('the rejection', batches.next()), { code: 'BAD_RECORD' })
})
