import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openReader, openWriter, type Status } from '../index.ts'
import { createLog, createMachine, take } from '../testing/support.ts'

test('a syncing reader reports its progress, and once that it is live', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  for (let batch = 0; batch < 20; batch++) await writer.publish(Array<string>(100).fill('a line\n'))
  const log = createLog()
  const statuses: Status[] = []
  const onStatus = (status: Status): void => {
    statuses.push(status)
    log.onStatus(status)
  }
  const reader = await openReader(await machine.open('r', { onStatus }), writer.key)
  const batches = reader.batches()
  await take(batches, 100)
  const syncing = await log.until('syncing')
  assert.ok(syncing.state === 'syncing' && syncing.total === 2000 && syncing.lines < 2000)
  await take(batches, 1900)
  const more = take(batches, 1)
  const live = await log.until('live')
  assert.equal(live.state === 'live' && live.lines, 2000)
  await writer.publish(['one more\n'])
  assert.deepEqual(await more, ['one more\n'])
  assert.equal(statuses.filter(({ state }) => state === 'live').length, 1)
  assert.ok(statuses.filter(({ state }) => state === 'syncing').length < 10, 'not for each batch')
})

test('a reader that has everything is live at once; a reader that ends never reports live', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  await writer.publish(['a\n', 'b\n'])
  const log = createLog()
  const states: string[] = []
  const node = await machine.open('r', {
    onStatus: (status) => {
      states.push(status.state)
      log.onStatus(status)
    }
  })
  const reader = await openReader(node, writer.key)
  await take(reader.batches({ live: false }), 2)
  for await (const _ of reader.batches({ live: false }));
  assert.ok(!states.includes('live'))
  const following = reader.batches({ from: 'end' }).next()
  await log.until('live')
  await reader.close()
  await following
})
