import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { underLoad } from './harness/load.ts'
import { type Loopback, openLoopback } from './harness/loopback.ts'
import type { Program } from './harness/program.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

const WRITER = new URL('fixtures/tutorial-writer.js', import.meta.url)
const READER = new URL('fixtures/tutorial-reader.js', import.meta.url)

interface World {
  /** Two machines that share only the DHT. */
  readonly here: Sandbox
  readonly there: Sandbox
  readonly dht: Loopback
}

async function openWorld(t: TestContext): Promise<World> {
  return { dht: await openLoopback(t), here: await Sandbox.open(t), there: await Sandbox.open(t) }
}

function tutorialWriter(sandbox: Sandbox, { address }: Loopback): Promise<Program> {
  return sandbox.peer(WRITER, { storage: 'tutorial', bootstrap: address })
}

/** Appends one block after the other. Resolves to the lines that the tutorial's reader prints for them. */
async function append(writer: Program, ...blocks: readonly string[]): Promise<string[]> {
  const printed: string[] = []
  for (const block of blocks) {
    const count = writer.stdout.lineCount
    await writer.write(block)
    const lines = await writer.stdout.firstLines(count + 1)
    printed.push(`${lines.at(-1)}: ${block.trimEnd()}`)
  }
  return printed
}

/** The lines that name one core, in order. */
function ofCore(lines: readonly string[], key: string): string[] {
  return lines.filter((line) => line.includes(key))
}

function assertEachCoreInOrder(actual: readonly string[], expected: readonly string[]): void {
  assert.deepEqual([...actual].sort(), [...expected].sort(), 'every block once')
  for (const key of new Set(expected.map((line) => line.split(' ')[4]?.slice(0, 64) ?? ''))) {
    assert.deepEqual(ofCore(actual, key), ofCore(expected, key))
  }
}

test('our reader finds our writer over a private DHT', async (t) => {
  const { here, there, dht } = await openWorld(t)
  const writer = await here.writer({ bootstrap: dht.address })
  await writer.write('hello\n')
  const key = await keyOf(writer)
  const began = performance.now()
  const reader = await there.reader(key, { bootstrap: dht.address, args: ['--raw'] })
  assert.deepEqual(await reader.stdout.firstLines(1), ['hello'])
  const took = Math.round(performance.now() - began)
  // an aborted connection would be retried after 15 s
  assert.ok(took < underLoad(10_000), `the first line over the DHT took ${took} ms`)
  t.diagnostic(`the first line over the DHT took ${took} ms`)
  await writer.write('and more\n')
  assert.deepEqual(await reader.stdout.firstLines(2), ['hello', 'and more'])
  for (const program of [reader, writer]) {
    program.signal('SIGINT')
    assert.ok((await program.ends(130)) < underLoad(2000))
  }
})

test('a reader that waits on a private DHT gets the lines of a writer that starts later', async (t) => {
  const { here, there, dht } = await openWorld(t)
  const key = await here.publish('before\n', { bootstrap: dht.address })
  const reader = await there.reader(key, { bootstrap: dht.address, args: ['--raw'] })
  await reader.stderr.says('finding peers')
  const writer = await here.writer({ bootstrap: dht.address })
  await writer.write('after\n')
  assert.deepEqual(await reader.stdout.firstLines(2), ['before', 'after'])
})

test('a tutorial-style reader prints the blocks that our writer appends', async (t) => {
  const { here, there, dht } = await openWorld(t)
  const writer = await here.writer({ bootstrap: dht.address })
  const key = await keyOf(writer)
  await writer.write('hi\n')
  const reader = await there.peer(READER, { storage: 'tutorial', bootstrap: dht.address, args: [key] })
  await reader.stdout.says(': hi\n')
  for (const line of ['hello there\n', 'yo\n', 'another long one\n']) {
    await writer.write(line)
    await reader.stdout.says(`: ${line}`)
  }
  // a line keeps its newline, and the tutorial adds one
  const printed = reader.stdout.text.split('\n\n').slice(0, -1)
  const [short, long] = [printed[0], printed[1]].map((line) => line?.split(' ')[4]?.slice(0, 64))
  assert.notEqual(short, long)
  assert.deepEqual(printed, [
    `Block 0 in Core ${short}: hi`,
    `Block 0 in Core ${long}: hello there`,
    `Block 1 in Core ${short}: yo`,
    `Block 1 in Core ${long}: another long one`
  ])
})

test('our reader prints every block of a tutorial-style writer: history, live, and after a restart', async (t) => {
  const { here, there, dht } = await openWorld(t)
  const writer = await tutorialWriter(here, dht)
  const key = await keyOf(writer)
  const history = await append(writer, 'hi\n', 'hello there\n', 'yo\n', 'no end of it', 'another long one\n')

  const reader = await there.reader(key, { bootstrap: dht.address })
  await reader.stdout.firstLines(history.length)
  const live = await append(writer, 'now\n', 'and a long one\n')
  assertEachCoreInOrder(await reader.stdout.firstLines(history.length + live.length), [...history, ...live])
  reader.signal('SIGTERM')
  await reader.ends(143)

  const missed = await append(writer, 'gone\n', 'you\n', 'were not here\n')
  const again = await there.reader(key, { bootstrap: dht.address, args: ['--exit'] })
  await again.ends(0)
  assertEachCoreInOrder(again.stdout.lines, missed)
})

test('our reader prints the bytes of each core of a tutorial-style writer', async (t) => {
  const { here, there, dht } = await openWorld(t)
  const writer = await tutorialWriter(here, dht)
  const key = await keyOf(writer)
  // a tutorial-style reader that starts late would print two of the 200 blocks
  const blocks = Array.from({ length: 200 }, (_, block) =>
    block % 3 === 0 ? `${block}\n` : `block ${block}\nof two lines\n`
  )
  await append(writer, ...blocks)
  for (const [name, wanted] of [
    ['core-2', blocks.filter((block) => block.length < 5)],
    ['core-3', blocks.filter((block) => block.length >= 5)]
  ] as const) {
    const args = ['--raw', '--exit', '--from', 'start', '--only', name]
    const reader = await there.reader(key, { bootstrap: dht.address, args })
    await reader.ends(0)
    assert.equal(reader.stdout.text, wanted.join(''))
  }
})

test('--json has no position and no time for a block of a tutorial-style writer', async (t) => {
  const { here, there, dht } = await openWorld(t)
  const writer = await tutorialWriter(here, dht)
  const key = await keyOf(writer)
  await append(writer, 'hi\n')
  const reader = await there.reader(key, { bootstrap: dht.address, args: ['--json', '--count', '1'] })
  await reader.ends(0)
  const { key: core, ...rest } = JSON.parse(reader.stdout.text) as Record<string, unknown>
  assert.match(String(core), /^[0-9a-f]{64}$/)
  assert.deepEqual(rest, {
    position: null,
    core: 'core-2',
    index: 0,
    time: null,
    timestamp: null,
    text: 'hi'
  })

  const positioned = await there.reader(key, { bootstrap: dht.address, args: ['--from', '3'] })
  await positioned.ends(2)
  assert.match(positioned.stderr.text, /no positions/)

  const set = (move: string): Promise<Program> =>
    there.reader(key, { bootstrap: dht.address, command: 'cursors', args: ['--set', move] })
  const refused = await set('default=3')
  await refused.ends(2)
  assert.match(refused.stderr.text, /a tutorial log has no positions/)
  await append(writer, 'ho\n')
  const args = ['--raw', '--count', '1']
  const next = await there.reader(key, { bootstrap: dht.address, args })
  await next.ends(0)
  assert.equal(next.stdout.text, 'ho\n')
  await (await set('default=start')).ends(0)
  const first = await there.reader(key, { bootstrap: dht.address, args })
  await first.ends(0)
  assert.equal(first.stdout.text, 'hi\n')
})

test('our writer refuses the store of a tutorial-style writer with 8, and does not change it', async (t) => {
  const { here, dht } = await openWorld(t)
  const before = await tutorialWriter(here, dht)
  const key = await keyOf(before)
  await append(before, 'hi\n', 'hello there\n')
  await before.kill()

  const writer = await here.writer({ bootstrap: dht.address, storage: 'tutorial' })
  await writer.ends(8)
  assert.match(writer.stderr.text, /tutorial/)
  assert.equal(writer.stdout.text, '')

  const after = await tutorialWriter(here, dht)
  assert.equal(await keyOf(after), key)
  const [next] = await append(after, 'yo\n')
  assert.match(next ?? '', /^Block 1 in Core /)
})
