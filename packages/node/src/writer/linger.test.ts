import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { MAX_BATCH_LINES } from '@many-cores/protocol'
import { deadline, until } from '@many-cores/testing'
import { type Node, openReader, openWriter, type Writer } from '../index.ts'
import { createMachine, text } from '../testing/support.ts'

/** Longer than any test: what resolves did not wait for it. */
const FOREVER = 24 * 3600 * 1000

interface Log {
  readonly node: Node
  readonly writer: Writer
  /** The lines of each journal record, so far. */
  readonly batches: () => Promise<string[]>
}

async function openLog(t: TestContext, linger: number): Promise<Log> {
  const node = await (await createMachine(t)).open('w')
  const writer = await openWriter(node, { linger })
  const batches = async (): Promise<string[]> => {
    const reader = await openReader(node, writer.key)
    const found: string[] = []
    for await (const batch of reader.batches({ live: false })) found.push(text(batch.bytes()))
    await reader.close()
    return found
  }
  return { node, writer, batches }
}

/** Publishes each line in a call and a turn of the event loop of its own. */
async function publishEach(writer: Writer, lines: readonly string[]): Promise<Promise<unknown>[]> {
  const calls: Promise<unknown>[] = []
  for (const line of lines) {
    calls.push(writer.publish([line]))
    // several flushes would fit in between
    for (let turn = 0; turn < 100; turn++) await setImmediate()
  }
  return calls
}

test('lines that are published within the linger time share one journal record, and close does not wait', async (t) => {
  const { writer, batches } = await openLog(t, FOREVER)
  const calls = await publishEach(writer, ['1\n', '2\n', '3\n'])
  assert.equal(writer.length, 0)
  await deadline('close', writer.close())
  assert.deepEqual(
    await Promise.all(calls),
    [0, 1, 2].map((position) => ({ position, count: 1 }))
  )
  assert.deepEqual(await batches(), ['1\n2\n3\n'])
})

test('closing the node publishes lines that wait for others', async (t) => {
  const { node, writer } = await openLog(t, FOREVER)
  const [call] = await publishEach(writer, ['1\n'])
  await deadline('close', node.close())
  assert.deepEqual(await call, { position: 0, count: 1 })
})

test('a line that no other joins is durable after the linger time', async (t) => {
  const { writer, batches } = await openLog(t, 20)
  await deadline('the first line', writer.publish(['1\n']))
  await deadline('the second line', writer.publish(['2\n']))
  assert.deepEqual(await batches(), ['1\n', '2\n'])
})

test('without linger, a line waits for no other', async (t) => {
  const { writer, batches } = await openLog(t, 0)
  for (const line of ['1\n', '2\n', '3\n']) await deadline('a line', writer.publish([line]))
  async function* lines(): AsyncGenerator<string> {
    yield '4\n'
    await until('the line to be durable', () => writer.length === 4)
    yield '5\n'
  }
  await deadline('the stream', writer.publishStream(lines()))
  assert.deepEqual(await batches(), ['1\n', '2\n', '3\n', '4\n', '5\n'])
})

test('a batch with as many lines as it can have does not wait', async (t) => {
  const { writer } = await openLog(t, FOREVER)
  const half = Array<string>(MAX_BATCH_LINES / 2).fill('\n')
  const full = Promise.all([writer.publish(half), writer.publish(half)])
  await deadline('the full batch', full)
  assert.equal(writer.length, MAX_BATCH_LINES)
})

test('a batch does not wait once the next line is too long for it, nor does one long line', async (t) => {
  const { writer, batches } = await openLog(t, FOREVER)
  const large = 'x'.repeat(3 << 20)
  const first = writer.publish(['1\n'])
  const next = [writer.publish([`${large}\n`]), writer.publish([`${large}\n`])]
  await deadline('the first batch', Promise.all([first, next[0]]))
  assert.equal(writer.length, 2)
  await deadline('a long line', writer.publish([`${large}${large}\n`]))
  await deadline('the line before it', Promise.all(next))
  assert.deepEqual(
    (await batches()).map(({ length }) => length),
    [large.length + 3, large.length + 1, large.length * 2 + 1]
  )
})

test('the lines of a stream share a record, and its end does not wait', async (t) => {
  const { writer, batches } = await openLog(t, FOREVER)
  async function* chunks(): AsyncGenerator<Buffer> {
    for (const chunk of ['1\n', '2\n3', '\n', '4']) {
      yield Buffer.from(chunk)
      for (let turn = 0; turn < 100; turn++) await setImmediate()
    }
  }
  assert.deepEqual(await deadline('the end', writer.publishBytes(chunks())), { position: 0, count: 4 })
  assert.deepEqual(await batches(), ['1\n2\n3\n4'])
})

test('a stream that is aborted or fails publishes at once what it has read', async (t) => {
  const { writer } = await openLog(t, FOREVER)
  const ending = new AbortController()
  async function* endless(): AsyncGenerator<string> {
    yield '1\n'
    ending.abort()
    await new Promise(() => {})
  }
  await deadline('the end', writer.publishStream(endless(), { signal: ending.signal }))
  async function* failing(): AsyncGenerator<string> {
    yield '2\n'
    throw new Error('the source broke')
  }
  await assert.rejects(deadline('the fault', writer.publishStream(failing())), /the source broke/)
  assert.equal(writer.length, 2)
})

test('a checkpoint without lines does not wait, and is stored with the lines before it', async (t) => {
  const { writer, batches } = await openLog(t, FOREVER)
  const checkpoint = { name: 'place', value: '1' }
  await deadline('a checkpoint alone', writer.publish([], { checkpoint }))
  const lines = await publishEach(writer, ['1\n', '2\n'])
  await deadline('the next one', writer.publish([], { checkpoint: { name: 'place', value: '2' } }))
  await Promise.all(lines)
  assert.equal(text((await writer.checkpoint('place')) ?? Buffer.of()), '2')
  assert.deepEqual(await batches(), ['1\n2\n'])
})

test('a linger time that no timer has is BAD_OPTION', async (t) => {
  const node = await (await createMachine(t)).open('w')
  for (const linger of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5'])
    await assert.rejects(openWriter(node, { linger: linger as number }), { code: 'BAD_OPTION' })
  await (await openWriter(node, { linger: 2 ** 31 - 1 })).close()
})
