import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import { openReader, openWriter, type Status } from '../index.ts'
import { createLog, createMachine, seededLines, take } from '../testing/support.ts'

/** Statuses of the state `acknowledging`, and a way to wait until so many peers hold everything. */
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

test('acknowledged resolves to the peers that hold every core and the journal; one of some cores alone is none', async (t) => {
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

test('a reader counts that took everything and left, and one that comes back with everything and reads nothing', async (t) => {
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
  // the writer hears of it later, and would count it
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

test('acknowledged ends with the reason of its signal, CLOSED with its writer, BAD_OPTION for no number of peers', async (t) => {
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

test('only a peer that syncs what it stores counts: neither plain Hypercore nor a reader without fsync', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w', { fsync: false }))
  const lines = seededLines(100)
  await writer.publish(lines)
  const acknowledged = writer.acknowledged(1)
  for (const fsync of [false, true]) {
    const node = await machine.open(`r${fsync}`, { fsync })
    const reader = await openReader(node, writer.key)
    assert.deepEqual(await take(reader.batches(), lines.length), lines)
    if (fsync) assert.deepEqual(await deadline('the one that syncs', acknowledged), [node.id])
  }
})
