import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deadline, until } from '@many-cores/testing'
import { type NodeError, openNode, openReader, openWriter } from './index.ts'
import { internalsOf } from './internals.ts'
import { createMachine } from './testing/support.ts'

/** How many times a node is closed. `CLOSES=1000` for the long run. */
const CLOSES = Number(process.env.CLOSES ?? 40)

const NEVER = 'ab'.repeat(32)

test(`a node that is closed ${CLOSES} times while a writer and readers open rejects with CLOSED, loses nothing and shuts down cleanly`, async (t) => {
  const machine = await createMachine(t)
  const first = await machine.open('w')
  const writer = await openWriter(first)
  const { key } = writer
  let length = 1
  await writer.publish(['first\n'])
  await first.close()
  const mark = join(first.storage, 'WRITER-CLOSED')
  for (let close = 0; close < CLOSES; close++) {
    const node = await machine.open('w')
    const openings = [
      openWriter(node).then(async (opened) => {
        assert.equal(opened.length, length)
        const { position } = await opened.publish([`line ${close}\n`])
        assert.equal(position, length)
        length++
      }),
      openReader(node, key, { timeout: 0 }),
      openReader(node, NEVER, { timeout: 0 })
    ]
    const opened = Promise.allSettled(openings)
    for (let turn = 0; turn < (close * 7) % 60; turn++) await nextTurn()
    await deadline('the node to close', node.close())
    for (const result of await opened) {
      if (result.status === 'rejected')
        assert.equal((result.reason as NodeError).code, 'CLOSED', String(result.reason))
    }
    await assert.rejects(openWriter(node), { code: 'CLOSED' })
    assert.match(await readFile(mark, 'utf8'), new RegExp(`"journal":${length + 1}}`))
  }
  const last = await openWriter(await machine.open('w'))
  assert.equal(last.length, length)
})

for (const closing of ['writer', 'node'] as const) {
  test(`a stream whose source is idle rejects with CLOSED when the ${closing} closes; its lines are durable, and the source is returned`, async (t) => {
    const machine = await createMachine(t)
    const node = await machine.open('w')
    const writer = await openWriter(node)
    let returned = 0
    // yields its items, and then waits for ever
    const source = <T>(items: readonly T[]): AsyncIterable<T> => {
      const left = [...items]
      const next = (): Promise<IteratorResult<T>> => {
        const value = left.shift()
        return value === undefined ? new Promise(() => {}) : Promise.resolve({ done: false, value })
      }
      const end = async (): Promise<IteratorResult<T>> => {
        returned++
        return { done: true, value: undefined }
      }
      return { [Symbol.asyncIterator]: () => ({ next, return: end }) }
    }
    const streams = [
      writer.publishStream(source(['one\n', 'two\n'])),
      writer.publishBytes(source([Buffer.from('three\nfour\nrest')]))
    ]
    await until('four lines', () => writer.length === 4)
    const ended = Promise.all(streams.map((stream) => assert.rejects(stream, { code: 'CLOSED' })))
    await deadline('the end', closing === 'node' ? node.close() : writer.close())
    await deadline('the streams', ended)
    assert.equal(returned, 2)
    await node.close()
    const again = await openWriter(await machine.open('w'))
    assert.equal(again.length, 4)
  })
}

test('a writer that closes during recovery closes at once, and pending calls reject with CLOSED', async (t) => {
  const machine = await createMachine(t)
  const before = await machine.open('w')
  await (await openWriter(before)).publish(['a line\n'])
  await before.close()
  await rm(join(before.storage, 'WRITER-CLOSED'))
  // the search waits for a DHT that does not answer
  const node = await machine.open('w', { local: false, bootstrap: ['127.0.0.1:9'] })
  const writer = await openWriter(node)
  const waiting = Promise.all(
    [writer.publish(['no\n']), writer.acknowledged(1), writer.publishStream(['no\n'])].map((call) =>
      assert.rejects(call, { code: 'CLOSED' })
    )
  )
  const began = performance.now()
  await writer.close()
  assert.ok(performance.now() - began < 1000, 'it waited')
  await deadline('the pending calls', waiting)
})

test('a node has one writer at a time', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const opening = openWriter(node)
  await assert.rejects(openWriter(node), { code: 'BAD_OPTION' })
  const writer = await opening
  await writer.publish(['one\n'])
  await assert.rejects(openWriter(node), { code: 'BAD_OPTION' })
  await writer.publish(['two\n'])
  await writer.close()
  const next = await openWriter(node)
  assert.deepEqual(await next.publish(['three\n']), { position: 2, count: 1 })
  await next.close()
  // a writer that cannot be opened releases the log
  await assert.rejects(openWriter(node, { routing: { rule: 'round-robin', cores: 3 } }), {
    code: 'RULE_MISMATCH'
  })
  await (await openWriter(node)).close()
})

test('a relative path of a store does not follow the working directory', async (t) => {
  const machine = await createMachine(t)
  const home = process.cwd()
  t.after(() => process.chdir(home))
  process.chdir(machine.directory)
  const node = await openNode({ storage: 'w', local: true, rendezvous: join(machine.directory, 'meet') })
  const writer = await openWriter(node)
  await writer.publish(['a line\n'])
  process.chdir('/')
  await node.close()
  assert.equal(node.storage, join(machine.directory, 'w'))
  assert.match(await readFile(join(machine.directory, 'w', 'WRITER-CLOSED'), 'utf8'), /"journal":2}/)
})

test('opening after an unclean shutdown reads as much of a long log as of a short one', async (t) => {
  const machine = await createMachine(t)
  const reads: number[] = []
  for (const count of [20, 1000]) {
    const before = await machine.open(`w${count}`)
    const writer = await openWriter(before)
    // only the first record names core short
    for (let line = 0; line < count; line++) await writer.publish([line === 0 ? 's\n' : 'a longer line\n'])
    await before.close()
    await rm(join(before.storage, 'WRITER-CLOSED'))
    const node = await machine.open(`w${count}`)
    const { stats } = internalsOf(node).store.storage.rocks
    const { gets } = stats
    await (await openWriter(node)).publish(['another one\n'])
    reads.push(stats.gets - gets)
  }
  const [few = 0, many = 0] = reads
  assert.ok(many < few + 50, `${few} reads for 20 records, ${many} for 1000`)
})
