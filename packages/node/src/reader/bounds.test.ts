import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { keyToBytes } from '@many-cores/protocol'
import { deadline } from '@many-cores/testing'
import {
  type Bound,
  type Entry,
  type Node,
  openReader,
  openWriter,
  type Reader,
  type Writer
} from '../index.ts'
import { internalsOf } from '../internals.ts'
import { collect, createMachine, type Machine, seededLines, take, text } from '../testing/support.ts'

const LINES = seededLines(3000)

/** LINES in 30 batches of 100, and when each of them became durable: no two in the same millisecond. */
async function publishTimed(machine: Machine): Promise<{ writer: Writer; times: number[] }> {
  const writer = await openWriter(await machine.open('w'))
  const times: number[] = []
  for (let from = 0; from < LINES.length; from += 100) {
    while (Date.now() <= (times.at(-1) ?? 0)) await new Promise(setImmediate)
    await writer.publish(LINES.slice(from, from + 100))
    times.push(Date.now())
  }
  return { writer, times }
}

async function openTimed(t: TestContext): Promise<{ reader: Reader; times: number[]; writer: Writer }> {
  const machine = await createMachine(t)
  const { writer, times } = await publishTimed(machine)
  return { reader: await openReader(await machine.open('r'), writer.key), times, writer }
}

async function textsOf(entries: AsyncIterable<Entry>): Promise<string> {
  let found = ''
  for await (const { line } of entries) found += text(line)
  return found
}

test('a range has the lines from its first bound to before the second', async (t) => {
  const { reader } = await openTimed(t)
  const ranges: [Bound, Bound][] = [
    [0, 0],
    [0, 1],
    [5, 3],
    [99, 101],
    [100, 200],
    [150, 1550],
    ['start', 'end'],
    ['start', -2990],
    [-10, 'end'],
    [-10, -3],
    [2990, 4000],
    [3000, 3001],
    [-9999, 2],
    [2990, -0],
    [-0, 'end'],
    [-0, -0]
  ]
  for (const [from, to] of ranges) {
    const [first, stop] = [from, to].map((bound) => {
      if (bound === 'start') return 0
      if (Object.is(bound, -0)) return 3000
      return bound === 'end' ? undefined : (bound as number)
    })
    const expected = LINES.slice(first, stop)
    assert.equal(await textsOf(reader.range(from, to)), expected.join(''), JSON.stringify([from, to]))
  }
})

test('find returns the first line of the batch that became durable at a time or later', async (t) => {
  const { reader, times } = await openTimed(t)
  const [first = 0, , third = 0] = times
  assert.equal(await reader.find(0), 0)
  assert.equal(await reader.find(first + 1), 100)
  assert.equal(await reader.find(new Date(third + 1)), 300)
  assert.equal(await reader.find(Date.now() + 1000), 3000)
  const until = await collect(reader.batches({ from: { time: first + 1 }, until: { time: third + 1 } }))
  assert.equal(until.toString(), LINES.slice(100, 300).join(''))
  await assert.rejects(reader.find(Number.NaN), { code: 'BAD_OPTION' })
})

test('at returns the line at a position, counted from the start or from the end', async (t) => {
  const { reader, writer } = await openTimed(t)
  for (const position of [0, 1234, 2999, -1, -3000]) {
    const entry = await reader.at(position)
    const expected = position < 0 ? 3000 + position : position
    assert.deepEqual([entry?.position, text(entry?.line ?? Buffer.of())], [expected, LINES[expected]])
  }
  assert.equal(await reader.at(3000), null)
  assert.equal(await reader.at(-0), null)
  assert.equal(await reader.length(), 3000)
  await writer.publish(['one more\n'])
  await take(reader.batches({ from: 3000 }), 1)
  assert.equal(await reader.length(), 3001)
})

test('a line that at returns keeps no block in memory', async (t) => {
  const { reader } = await openTimed(t)
  const line = (await reader.at(1234))?.line
  assert.equal(line?.buffer.byteLength, line?.byteLength)
})

test('a live reader ends at its until position once that is published', async (t) => {
  const { reader, writer } = await openTimed(t)
  const batches = reader.batches({ from: 2999, until: 3002 })
  assert.deepEqual(await take(batches, 1), LINES.slice(2999))
  const rest = take(batches, 2)
  await writer.publish(['1\n'])
  await writer.publish(['2\n', '3\n'])
  assert.deepEqual(await rest, ['1\n', '2\n'])
  assert.deepEqual(await deadline('the end', batches.next()), { done: true, value: undefined })
})

test('a live reader that begins a few lines before the end asks peers for the end', async (t) => {
  const machine = await createMachine(t)
  const { writer } = await publishTimed(machine)
  const node = await machine.open('r')
  const reader = await openReader(node, writer.key)
  assert.deepEqual(await take(reader.batches({ from: -2 }), 2), LINES.slice(-2))
  await node.close()
  await writer.publish(['a\n', 'b\n', 'c\n'])
  const again = await openReader(await machine.open('r'), writer.key)
  assert.deepEqual(await take(again.batches({ from: -2 }), 2), ['b\n', 'c\n'])
  assert.deepEqual(await take(again.batches({ from: -4, until: -2 }), 2), [LINES[2999], 'a\n'])
})

test('a stored range needs no peer, and find needs one', async (t) => {
  const machine = await createMachine(t)
  const { writer } = await publishTimed(machine)
  const node = await machine.open('r')
  await collect((await openReader(node, writer.key)).batches({ live: false }))
  await node.close()
  await writer.close()
  const alone = await machine.open('r', { rendezvous: `${machine.directory}/nobody` })
  const reader = await openReader(alone, writer.key)
  const range = deadline('the range', textsOf(reader.range(10, 3000, { timeout: 0 })))
  assert.equal(await range, LINES.slice(10).join(''))
  await assert.rejects(reader.find(0, { timeout: 50 }), { code: 'NOT_FOUND' })
  const abort = new AbortController()
  const asking = reader.length({ signal: abort.signal })
  abort.abort(new Error('changed my mind'))
  await assert.rejects(deadline('the rejection', asking), /changed my mind/)
})

/** Counts the blocks of this log that are downloaded from now on. */
function countDownloads(node: Node, reader: Reader): () => number {
  let count = 0
  const { store } = internalsOf(node)
  for (const key of [reader.key, ...reader.manifest.cores.map((core) => core.key)]) {
    store.get({ key: keyToBytes(key) }).on('download', () => count++)
  }
  return () => count
}

test('a cold reader of 1,000,000 lines downloads at most 64 blocks before its first line', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  const lines = Array.from({ length: 500 }, (_, line) => (line % 3 === 0 ? `${line}\n` : `line ${line}\n`))
  let middle = 0
  for (let batch = 0; batch < 2000; batch++) {
    if (batch === 1000) {
      while (Date.now() === middle) await new Promise(setImmediate)
      middle = Date.now()
    }
    await writer.publish(lines)
    if (batch === 999) middle = Date.now()
  }
  const wanted: [Bound, number][] = [
    [-10, 999_990],
    [{ time: middle }, 500_000],
    [765_432, 765_432]
  ]
  for (const [index, [from, position]] of wanted.entries()) {
    const node = await machine.open(`r${index}`)
    const reader = await openReader(node, writer.key)
    const downloads = countDownloads(node, reader)
    const { value } = await deadline('the first line', reader.follow({ from }).next())
    const blocks = downloads() + 1 // block 0 of the bootstrap core was downloaded before
    t.diagnostic(`${blocks} blocks before the first line from ${JSON.stringify(from)}`)
    assert.equal(value?.position, position)
    assert.ok(blocks <= 64, `${blocks} blocks before the first line from ${JSON.stringify(from)}`)
    await node.close()
  }
})

test('the last line of a batch over many cores costs a record and one block', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'), { routing: { rule: 'round-robin', cores: 16 } })
  await writer.publish(LINES.slice(0, 160))
  const node = await machine.open('r')
  const reader = await openReader(node, writer.key)
  const downloads = countDownloads(node, reader)
  assert.equal(text((await reader.at(-1))?.line ?? Buffer.of()), LINES[159])
  assert.ok(downloads() <= 2, `${downloads()} blocks besides the manifest: a record and a block are enough`)
})

test('with cores, a bound that counts from the end counts their lines, and downloads no others', async (t) => {
  const machine = await createMachine(t)
  const names = ['rare', 'never', 'rest']
  const routing = { rule: 'prefix', prefixes: ['rare', 'never'] } as const
  const writer = await openWriter(await machine.open('w'), { routing })
  assert.deepEqual(
    writer.manifest.cores.map(({ name }) => name),
    names
  )
  // a rare line in the middle of every 50th of 2000 batches
  const rare: number[] = []
  for (let batch = 0; batch < 2000; batch++) {
    const lines = [`${batch} a\n`, `${batch} b\n`]
    if (batch % 50 === 25) {
      rare.push(writer.length + 1)
      lines.splice(1, 0, `rare ${batch}\n`)
    }
    await writer.publish(lines)
  }
  const end = writer.length
  const cases: [Bound, readonly string[], number][] = [
    [-1, ['rare'], rare[39] ?? 0],
    [-3, ['rare'], rare[37] ?? 0],
    [-40, ['rare'], rare[0] ?? 0],
    [-41, ['rare'], rare[0] ?? 0],
    [-5, ['never'], end],
    [-5, ['rest'], end - 5],
    [-5, names, end - 5],
    [-9999, names, 0],
    [-0, ['rare'], end],
    [7, ['rare'], 7]
  ]
  for (const [index, [bound, cores, position]] of cases.entries()) {
    const node = await machine.open(`r${index}`)
    const reader = await openReader(node, writer.key)
    const downloads = countDownloads(node, reader)
    const name = JSON.stringify([bound, cores])
    assert.equal(await deadline(name, reader.locate(bound, { cores })), position, name)
    t.diagnostic(`${name}: ${downloads()} blocks`)
    if (cores[0] === 'never') assert.ok(downloads() < 1024, `${downloads()} blocks`)
    const found: (number | null)[] = []
    for await (const entry of reader.range(bound, 'end', { cores })) found.push(entry.position)
    const first = found[0] ?? end
    if (position !== 7) assert.equal(first, position, name)
    await node.close()
  }
  const reader = await openReader(await machine.open('r'), writer.key)
  const range = await textsOf(reader.range(-3, -1, { cores: ['rare'] }))
  assert.equal(range, 'rare 1875\nrare 1925\n')
  const live = reader.batches({ from: -2, cores: ['rare'] })
  assert.deepEqual(await take(live, 2), ['rare 1925\n', 'rare 1975\n'])
  await live.return()
})
