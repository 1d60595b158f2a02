import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import { openReader, openWriter, type Status } from '../index.ts'
import { createLog, createMachine, seededLines, take } from '../testing/support.ts'

/** Collects the statuses `acknowledging`. `until` waits for one with this number of peers. */
function createHoldings(): {
  readonly seen: number[]
  readonly onStatus: (status: Status) => void
  readonly until: (holding: number) => Promise<void>
} {
  const seen: number[] = []
  let wake: () => void = () => {}
  return {
    seen,
    onStatus: (status) => {
      if (status.state !== 'acknowledging') return
      seen.push(status.holding)
      wake()
    },
    until: async (holding) => {
      while (!seen.includes(holding)) {
        const news = new Promise<void>((resolve) => {
          wake = resolve
        })
        await deadline(`${holding} peers to hold everything`, news)
      }
    }
  }
}

test('acknowledged resolves to the peers that hold the journal and every core, not to one that follows some cores', async (t) => {
  const machine = await createMachine(t)
  const { seen, onStatus, until } = createHoldings()
  const writer = await openWriter(await machine.open('w', { onStatus }))
  const lines = seededLines(500)
  for (let line = 0; line < lines.length; line += 50) await writer.publish(lines.slice(line, line + 50))
  const acknowledged = writer.acknowledged(2)

  const partly = await openReader(await machine.open('partly'), writer.key)
  const long = partly.batches({ cores: ['long'] })
  await deadline('a line', long.next())
  const nodes = [await machine.open('first'), await machine.open('second')]
  for (const [index, node] of nodes.entries()) {
    const reader = await openReader(node, writer.key)
    assert.deepEqual(await take(reader.batches(), lines.length), lines)
    await until(index + 1)
  }
  const peers = await deadline('both to hold everything', acknowledged)
  assert.deepEqual([...peers].sort(), nodes.map((node) => node.id).sort())
  assert.deepEqual(seen, [0, 1, 2])
  await long.return()
})

test('a reader that has left with everything counts, and so does one that returns with everything and reads nothing', async (t) => {
  const machine = await createMachine(t)
  const holdings = createHoldings()
  const log = createLog()
  const onStatus = (status: Status): void => {
    holdings.onStatus(status)
    log.onStatus(status)
  }
  const writer = await openWriter(await machine.open('w', { onStatus }))
  const lines = seededLines(100)
  await writer.publish(lines)
  const leaving = await machine.open('leaving')
  const returning = await machine.open('returning')
  {
    await using reader = await openReader(returning, writer.key)
    await take(reader.batches(), lines.length)
  }
  await returning.close()
  // before the writer notices this, it would count the reader
  await log.until('disconnected')
  const acknowledged = writer.acknowledged(2)
  await take((await openReader(leaving, writer.key)).batches(), lines.length)
  await holdings.until(1)
  await leaving.close()
  const back = await machine.open('returning')
  const reader = await openReader(back, writer.key)
  const rest = reader.batches({ from: 'end' })
  const next = rest.next()
  assert.deepEqual([...(await deadline('both', acknowledged))].sort(), [leaving.id, back.id].sort())
  await reader.close()
  await next
})

test('acknowledged rejects with the reason of its signal, with CLOSED when its writer closes, and with BAD_OPTION for an invalid number', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  assert.deepEqual(await writer.acknowledged(0), [])
  const reason = new Error('enough')
  await assert.rejects(writer.acknowledged(1, { signal: AbortSignal.abort(reason) }), reason)
  for (const peers of [-1, 1.5, Number.NaN])
    await assert.rejects(writer.acknowledged(peers), { code: 'BAD_OPTION' })
  const waiting = assert.rejects(writer.acknowledged(1), { code: 'CLOSED' })
  await writer.close()
  await deadline('the end of the wait', waiting)
  await assert.rejects(writer.acknowledged(1), { code: 'CLOSED' })
})

test('a reader without fsync does not count', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w', { fsync: false }))
  const lines = seededLines(100)
  await writer.publish(lines)
  const acknowledged = writer.acknowledged(1)
  for (const fsync of [false, true]) {
    const node = await machine.open(`r${fsync}`, { fsync })
    const reader = await openReader(node, writer.key)
    assert.deepEqual(await take(reader.batches(), lines.length), lines)
    if (fsync) assert.deepEqual(await deadline('the reader that syncs', acknowledged), [node.id])
  }
})
