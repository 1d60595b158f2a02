import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createRouter,
  decodeJournalRecord,
  lineEnds,
  MAX_BATCH_LINES,
  MAX_LINE_BYTES,
  parseRule
} from '@many-cores/protocol'
import { atEnd, deadline } from '@many-cores/testing'
import Corestore from 'corestore'
import { openReader, openWriter, type Reader, type Writer } from '../index.ts'
import { chunked, collect, createMachine, seededLines, text } from '../testing/support.ts'

async function linesOf(reader: Reader): Promise<string[]> {
  const lines: string[] = []
  for await (const { line } of reader.follow({ live: false })) lines.push(text(line))
  return lines
}

test('publish resolves to the positions of the lines', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  assert.deepEqual(await writer.publish(['one\n', 'two\n']), { position: 0, count: 2 })
  assert.deepEqual(await writer.publish([Buffer.from('three\n')]), { position: 2, count: 1 })
  assert.deepEqual(await writer.publish([]), { position: 3, count: 0 })
  assert.equal(writer.length, 3)
})

test('concurrent publishes keep their order and share batches', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const lines = seededLines(500)
  const published = await Promise.all(lines.map((line) => writer.publish([line])))
  assert.deepEqual(
    published.map(({ position }) => position),
    lines.map((_, index) => index)
  )
  const reader = await openReader(node, writer.key)
  let batches = 0
  let all = ''
  for await (const batch of reader.batches({ live: false })) {
    batches++
    all += text(batch.bytes())
  }
  assert.equal(all, lines.join(''))
  assert.ok(batches < 10, `${batches} batches for 500 concurrent publishes`)
})

test('lines, chunks and checkpoints are copied at once, so buffers can be reused', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const [buffer, other] = [Buffer.from('a\n'), Buffer.from('x\n')]
  const use = (text: string, into: Buffer = buffer): Buffer => {
    into.write(text)
    return into
  }
  const value = Buffer.from('1')
  const published = [
    ...['a\n', 'b\n'].map((text) => writer.publish([use(text)])),
    writer.publish([use('c\n')], { checkpoint: { name: 'place', value } })
  ]
  // the lines are checked by now, and not stored yet
  use('\n\n')
  value.write('2')
  await Promise.all(published)
  async function* reusing(texts: readonly string[]): AsyncGenerator<Buffer> {
    for (const text of texts) yield use(text)
  }
  await writer.publishStream(reusing(['d\n', 'e\n']), {
    checkpoint: { name: 'stream', at: () => use('x\n', other) }
  })
  await writer.publishBytes(reusing(['f\n', 'gg', 'h\n', 'i']))
  const reader = await openReader(node, writer.key)
  assert.deepEqual(await linesOf(reader), ['a\n', 'b\n', 'c\n', 'd\n', 'e\n', 'f\n', 'ggh\n', 'i\n'])
  assert.equal(text((await writer.checkpoint('place')) ?? Buffer.of()), '1')
  use('yy', other)
  assert.equal(text((await writer.checkpoint('stream')) ?? Buffer.of()), 'x\n')
})

test('publish takes a list of lines: anything else is BAD_OPTION, and the writer continues', async (t) => {
  const machine = await createMachine(t)
  for (const framing of ['newline', 'none'] as const) {
    const node = await machine.open(framing)
    const writer = await openWriter(node, { framing })
    for (const wrong of ['hi\n', Buffer.from('hi\n'), [5], [null], [['a\n']], [{ length: 2 }]]) {
      const lines = wrong as string[]
      await assert.rejects(writer.publish(lines), { code: 'BAD_OPTION' })
      await assert.rejects(writer.publishStream(lines), { code: 'BAD_OPTION' })
    }
    // @ts-expect-error a string can be iterated, but is not a list of lines
    await assert.rejects(writer.publish('hi\n'), { message: "publish takes lines: publish(['hello\\n'])" })
    // @ts-expect-error as above
    await assert.rejects(writer.publishStream('hi\n'), { code: 'BAD_OPTION' })
    // @ts-expect-error a stream of bytes is not a string
    await assert.rejects(writer.publishBytes('hi\n'), { code: 'BAD_OPTION' })
    assert.deepEqual(await writer.publish(['a line\n']), { position: 0, count: 1 })
  }
})

test('a line or batch that does not fit is rejected by code, and nothing of the call is published', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  await assert.rejects(writer.publish(['good\n', 'two\nlines\n']), { code: 'BAD_LINE' })
  await assert.rejects(writer.publish(['']), { code: 'BAD_LINE' })
  await assert.rejects(writer.publish([Buffer.alloc(MAX_LINE_BYTES + 1)]), { code: 'LINE_TOO_LONG' })
  await assert.rejects(writer.publish(Array(MAX_BATCH_LINES + 1).fill('\n')), { code: 'BATCH_TOO_LARGE' })
  await assert.rejects(writer.publish([Buffer.alloc(MAX_LINE_BYTES), Buffer.alloc(2 << 20)]), {
    code: 'BATCH_TOO_LARGE'
  })
  assert.equal(writer.length, 0)
  await writer.publish(['fine\n'])
  assert.equal(writer.length, 1)
})

test('a writer that is opened again continues under the same key, and rejects another rule, naming both', async (t) => {
  const machine = await createMachine(t)
  let node = await machine.open('w')
  let writer = await openWriter(node, { routing: parseRule('hash:3') })
  const { key } = writer
  await writer.publish(['a\n', 'b\n'])
  await node.close()

  node = await machine.open('w')
  await assert.rejects(openWriter(node, { routing: parseRule('hash:4') }), {
    code: 'RULE_MISMATCH',
    message: /hash:3.*hash:4/
  })
  await assert.rejects(openWriter(node, { names: ['x', 'y', 'z'] }), {
    code: 'RULE_MISMATCH',
    message: /part-0/
  })
  await assert.rejects(openWriter(node, { framing: 'none' }), { code: 'RULE_MISMATCH' })
  writer = await openWriter(node, { routing: parseRule('hash:3') })
  assert.equal(writer.key, key)
  assert.deepEqual(await writer.publish(['c\n']), { position: 2, count: 1 })
  assert.deepEqual(await linesOf(await openReader(node, key)), ['a\n', 'b\n', 'c\n'])
})

for (const rule of [
  'byte-length:5',
  'byte-length:2,5,100',
  'hash:4',
  'hash:4,field=2,separator=1',
  'round-robin:3',
  'prefix:1,22,333'
]) {
  test(`every line is in the core that ${rule} selects`, async (t) => {
    const machine = await createMachine(t)
    const node = await machine.open('w')
    const writer = await openWriter(node, { routing: parseRule(rule) })
    const lines = seededLines(400)
    for (let from = 0; from < 400; from += 57) await writer.publish(lines.slice(from, from + 57))
    await node.close()

    // with plain Corestore, by the specification
    const store = new Corestore(node.storage)
    atEnd(t, () => store.close())
    const { cores, routing, framing } = writer.manifest
    const route = createRouter(routing)
    const bootstrap = store.get({ key: writer.key })
    await bootstrap.ready()
    const found: string[] = []
    for (let index = 1; index < bootstrap.length; index++) {
      const record = decodeJournalRecord(await bootstrap.get(index), { cores: cores.length, framing })
      assert.equal(record.seq, found.length)
      const queues = new Map<number, Buffer[]>()
      for (const [core, length, count] of record.at) {
        const data = store.get({ key: cores[core]?.key ?? '' })
        await data.ready()
        const queue: Buffer[] = []
        for (let block = length; block < length + count; block++) {
          const bytes = Buffer.from(await data.get(block))
          let start = 0
          for (const end of lineEnds(bytes, framing)) {
            queue.push(bytes.subarray(start, end))
            start = end
          }
        }
        queues.set(core, queue)
      }
      for (let run = 0; run < record.order.length; run += 2) {
        const core = record.order[run] ?? -1
        for (const line of queues.get(core)?.splice(0, record.order[run + 1]) ?? []) {
          assert.equal(route(line, found.length), core)
          found.push(line.toString())
        }
      }
    }
    assert.deepEqual(found, lines)
  })
}

const INPUTS: readonly (readonly [string, Buffer])[] = [
  ['text', Buffer.from(seededLines(5000).join(''))],
  ['nothing', Buffer.alloc(0)],
  ['newlines alone', Buffer.from('\n'.repeat(70_000))],
  ['no newline at the end', Buffer.from('one\ntwo')],
  ['every byte', Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 7) & 0xff))],
  [
    'a line of 10 MiB between short ones',
    Buffer.concat([Buffer.from('a\n'), Buffer.alloc(10 << 20, 0x62), Buffer.from('\nc\n')])
  ],
  ['a line of 15 MiB', Buffer.concat([Buffer.alloc(MAX_LINE_BYTES - 1, 0x62), Buffer.from('\n')])]
]

for (const [name, input] of INPUTS) {
  for (const size of [1 << 16, 4093]) {
    test(`a byte stream is read as it was published: ${name}, in chunks of ${size}`, async (t) => {
      const machine = await createMachine(t)
      const node = await machine.open('w')
      const writer = await openWriter(node)
      const { count } = await writer.publishBytes(chunked(input, size))
      assert.equal(count, lineEnds(input, 'newline').length)
      const output = await collect((await openReader(node, writer.key)).batches({ live: false }))
      assert.ok(output.equals(input))
    })
  }
}

test('a line over the limit stops a byte stream, with its number, and the lines before it are durable', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const input = Buffer.concat([
    Buffer.from('one\ntwo\n'),
    Buffer.alloc(MAX_LINE_BYTES, 0x62),
    Buffer.from('\nfour\n')
  ])
  await assert.rejects(writer.publishBytes(chunked(input, 1 << 16)), {
    code: 'LINE_TOO_LONG',
    message: /line 3 /
  })
  assert.equal(writer.length, 2)
  assert.deepEqual(await linesOf(await openReader(node, writer.key)), ['one\n', 'two\n'])
})

test('publishStream takes any number of lines, and rejects with the error of the source after its lines', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  assert.deepEqual(await writer.publishStream(seededLines(70_000)), { position: 0, count: 70_000 })
  async function* failing(): AsyncGenerator<string> {
    yield 'last\n'
    throw new Error('the source broke')
  }
  await assert.rejects(writer.publishStream(failing()), /the source broke/)
  assert.equal(writer.length, 70_001)
})

test('an aborted publishBytes makes durable what it has read, an incomplete line included', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  const abort = new AbortController()
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('whole\nha')
    abort.abort()
    await new Promise(() => {})
  }
  const published = await deadline('the end', writer.publishBytes(endless(), { signal: abort.signal }))
  assert.deepEqual(published, { position: 0, count: 2 })
})

test('close makes durable what was published before it', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const publishing = writer.publish(['in time\n'])
  await writer.close()
  assert.deepEqual(await publishing, { position: 0, count: 1 })
  await assert.rejects(writer.publish(['late\n']), { code: 'CLOSED' })
})

test('framing none carries any bytes, also empty entries', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node, { framing: 'none', routing: parseRule('round-robin:2') })
  const entries = ['', 'two\nlines\n', '\0', 'x'.repeat(3 << 20), '']
  await writer.publish(entries)
  await assert.rejects(writer.publishBytes(chunked(Buffer.from('x'), 1)), { code: 'BAD_OPTION' })
  assert.deepEqual(await linesOf(await openReader(node, writer.key)), entries)
})

test('lines without a newline in the middle of a batch stay separate', async (t) => {
  const machine = await createMachine(t)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const lines = ['no newline', 'another', 'with\n', 'x', 'y', 'z\n']
  await writer.publish(lines)
  assert.deepEqual(await linesOf(await openReader(node, writer.key)), lines)
})

test('a log of the tutorial’s writer is refused', async (t) => {
  const machine = await createMachine(t)
  const store = new Corestore(`${machine.directory}/w`)
  const core = store.get({ name: 'core-1' })
  await core.append(Buffer.from(JSON.stringify({ otherKeys: ['ab'.repeat(32)] })))
  await store.close()
  const node = await machine.open('w')
  await assert.rejects(openWriter(node), { code: 'STORE_REFUSED', message: /tutorial/ })
})

test('a store whose journal and cores do not fit together is refused', async (t) => {
  const machine = await createMachine(t)
  const before = await machine.open('w')
  await (await openWriter(before)).publish(['a line\n'])
  await before.close()
  const store = new Corestore(before.storage)
  await store.get({ name: 'core-3' }).append(Buffer.from('beside the journal\n'))
  await store.close()
  const writer = await openWriter(await machine.open('w'))
  const refusal = { code: 'STORE_REFUSED', message: /names 1 blocks of core long, which has 2/ }
  await assert.rejects(writer.publish(['another\n']), refusal)
  await assert.rejects(writer.serve(new AbortController().signal), refusal)
})

test('names are used at creation, and an invalid list is refused by code', async (t) => {
  const machine = await createMachine(t)
  await assert.rejects(openWriter(await machine.open('a'), { names: ['only one'] }), { code: 'BAD_MANIFEST' })
  const writer: Writer = await openWriter(await machine.open('b'), { names: ['tiny', 'large'] })
  assert.deepEqual(
    writer.manifest.cores.map(({ name }) => name),
    ['tiny', 'large']
  )
})
