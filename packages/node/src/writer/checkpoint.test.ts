import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_BATCH_LINES } from '@many-cores/protocol'
import { deadline } from '@many-cores/testing'
import { openReader, openWriter, type Progress, type Writer } from '../index.ts'
import { chunked, createMachine, seededLines, text } from '../testing/support.ts'

async function stored(writer: Writer, name: string): Promise<string | null> {
  const value = await writer.checkpoint(name)
  return value === null ? null : text(value)
}

test('a checkpoint is stored with its lines, under its name, and survives a restart', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  assert.equal(await stored(writer, 'a'), null)
  await writer.publish(['one\n'], { checkpoint: { name: 'a', value: '1' } })
  await writer.publish(['two\n'], { checkpoint: { name: 'b', value: Buffer.from('2') } })
  await writer.publish(['three\n'])
  assert.equal(await stored(writer, 'a'), '1')
  await node.close()

  const again = await openWriter(await machine.open('w'))
  assert.equal(await stored(again, 'a'), '1')
  assert.equal(await stored(again, 'b'), '2')
  assert.equal(again.length, 3)
})

test('if publishes share a batch, the last checkpoint of a name counts', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  await Promise.all(
    seededLines(200).map((line, at) =>
      writer.publish([line], { checkpoint: { name: `${at % 2}`, value: `${at}` } })
    )
  )
  assert.equal(await stored(writer, '0'), '198')
  assert.equal(await stored(writer, '1'), '199')
})

test('a checkpoint without lines is stored, and adds nothing to the log', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  assert.deepEqual(await writer.publish([], { checkpoint: { name: 'a', value: '' } }), {
    position: 0,
    count: 0
  })
  assert.equal(await stored(writer, 'a'), '')
  await writer.publish(['one\n'])
  await writer.publish([], { checkpoint: { name: 'a', value: 'x' } })
  assert.equal(await stored(writer, 'a'), 'x')
  let lines = 0
  for await (const _ of (await openReader(node, writer.key)).follow({ live: false })) lines++
  assert.equal(lines, 1)
})

test('the checkpoint of a stream gets its progress at each batch', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  const lines = seededLines(MAX_BATCH_LINES + 5000)
  const input = Buffer.from(lines.join(''))
  const seen: Progress[] = []
  const at = (progress: Progress): string => {
    seen.push(progress)
    return `${progress.lines} ${progress.bytes}`
  }
  await writer.publishBytes(chunked(input, 1 << 20), { checkpoint: { name: 'in', at } })
  for (const progress of seen) {
    assert.equal(Buffer.byteLength(lines.slice(0, progress.lines).join('')), progress.bytes)
    assert.equal(text(progress.last), lines[progress.lines - 1])
  }
  assert.equal(await stored(writer, 'in'), `${lines.length} ${input.byteLength}`)
  assert.ok(seen.length >= 2)

  await writer.publishStream(lines.slice(0, 10), { checkpoint: { name: 'in', at } })
  assert.equal(await stored(writer, 'in'), `10 ${Buffer.byteLength(lines.slice(0, 10).join(''))}`)
})

test('an aborted byte stream with a checkpoint does not publish an incomplete line', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const abort = new AbortController()
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('whole\nha')
    abort.abort()
    await new Promise(() => {})
  }
  const checkpoint = { name: 'in', at: ({ bytes }: Progress) => `${bytes}` }
  const publishing = writer.publishBytes(endless(), { signal: abort.signal, checkpoint })
  assert.deepEqual(await deadline('the end', publishing), { position: 0, count: 1 })
  assert.equal(await stored(writer, 'in'), '6')
  // a stream that ends by itself has a last line, with or without a terminator
  await writer.publishBytes(chunked(Buffer.from('half\nha'), 3), { checkpoint })
  assert.equal(await stored(writer, 'in'), '7')
  assert.equal(writer.length, 3)
})

test('a checkpoint with an invalid name or size is BAD_OPTION, and nothing of the call is published', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  for (const checkpoint of [
    { name: '', value: '' },
    { name: 'a/b', value: '' },
    { name: 'a', value: 'x'.repeat(4097) }
  ]) {
    await assert.rejects(writer.publish(['no\n'], { checkpoint }), { code: 'BAD_OPTION' })
  }
  await assert.rejects(writer.publishStream(['no\n'], { checkpoint: { name: ' ', at: () => '' } }), {
    code: 'BAD_OPTION'
  })
  await assert.rejects(writer.checkpoint('a b'), { code: 'BAD_OPTION' })
  await writer.publish(['yes\n'], { checkpoint: { name: 'a', value: 'x'.repeat(4096) } })
  assert.equal(writer.length, 1)
})

test('a stream whose checkpoint is too large fails the writer with BAD_OPTION', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  const checkpoint = { name: 'a', at: () => 'x'.repeat(4097) }
  await assert.rejects(writer.publishStream(['no\n'], { checkpoint }), { code: 'BAD_OPTION' })
  await assert.rejects(writer.publish(['no\n']), { code: 'BAD_OPTION' })
  assert.equal(writer.length, 0)
})
