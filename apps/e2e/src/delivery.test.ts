import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import test from 'node:test'
import { underLoad } from './harness/load.ts'
import type { Program } from './harness/program.ts'
import { numberedLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

const RAW = ['--raw']
/** The limit for one typed line: far above the usual time, far below what a user would notice as slow. */
const LIVE_MS = 5000

/** Resolves when `reader` has printed `bytes` bytes. */
async function printed(reader: Program, bytes: number): Promise<void> {
  await reader.stdout.until(`${bytes} bytes`, () => reader.stdout.length >= bytes)
}

test('the writer prints its key and nothing else, the same key at every start', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--exit', '--verbose'] })
  writer.end(numberedLines(0, 100))
  const key = await keyOf(writer)
  await writer.ends(0)
  assert.equal(writer.stdout.text, `main core key: ${key}\n`)

  const again = await sandbox.writer({ args: ['--exit'] })
  again.end()
  await again.ends(0)
  assert.equal(again.stdout.text, `main core key: ${key}\n`)
})

test('without --storage, the stores are in the user’s data directory', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish('mine\n', { storage: null })
  const writer = await sandbox.writer({ storage: 'home/.local/share/many-cores/writer/default' })
  assert.equal(await keyOf(writer), key)
  const reader = await sandbox.reader(key, { args: ['--raw', '--exit'], storage: null })
  await reader.ends(0)
  assert.equal(reader.stdout.text, 'mine\n')
  const stores = await readdir(sandbox.path('home/.local/share/many-cores'))
  assert.deepEqual(stores.sort(), ['reader', 'writer'])
})

test('a reader that starts before its writer gets the lines once the writer starts', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish('')
  const reader = await sandbox.reader(key, { args: RAW })
  await reader.stderr.says('finding peers')
  const writer = await sandbox.writer()
  await writer.write('here\nI am\n')
  assert.deepEqual(await reader.stdout.firstLines(2), ['here', 'I am'])
})

test('a line arrives while standard input is open; an incomplete line arrives once it is complete', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--json'] })
  for (const [index, text] of ['first\n', 'hi\n', '\n', 'a line that is longer\n', 'whole\nhalf'].entries()) {
    await writer.write(text)
    await reader.stdout.until(
      `line ${index}`,
      () => reader.stdout.lineCount === index + 1,
      underLoad(LIVE_MS)
    )
  }
  await writer.write(' and half\n')
  const printed = await reader.stdout.firstLines(6)
  assert.deepEqual(
    printed.map((line) => (JSON.parse(line) as { text: string }).text),
    ['first', 'hi', '', 'a line that is longer', 'whole', 'half and half']
  )
  assert.ok(writer.isRunning)
})

test('a reader that starts late gets the history, and then every new line', async (t) => {
  const sandbox = await Sandbox.open(t)
  const history = numberedLines(0, 5000)
  const writer = await sandbox.writer()
  await writer.write(history)
  const early = await sandbox.reader(await keyOf(writer), { args: RAW, storage: 'early' })
  await printed(early, history.length)
  const late = await sandbox.reader(await keyOf(writer), { args: RAW, storage: 'late' })
  await printed(late, history.length)
  const later = numberedLines(5000, 10)
  await writer.write(later)
  for (const reader of [early, late]) {
    await printed(reader, history.length + later.length)
    assert.equal(reader.stdout.text, history + later)
  }
})

test('a reader gets every line once while its writer is stopped, killed and restarted', async (t) => {
  const sandbox = await Sandbox.open(t)
  let writer = await sandbox.writer()
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { args: RAW })
  let input = ''
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGKILL', 'SIGKILL'],
    ['SIGKILL', 'SIGKILL'],
    ['SIGTERM', 143]
  ] as const) {
    const lines = numberedLines(input.split('\n').length - 1, 1000)
    input += lines
    await writer.write(lines)
    await printed(reader, input.length)
    writer.signal(signal)
    await writer.ends(code)
    writer = await sandbox.writer()
    assert.equal(await keyOf(writer), key)
  }
  await writer.write('the end\n')
  await printed(reader, input.length + 'the end\n'.length)
  assert.equal(reader.stdout.text, `${input}the end\n`)
})

test('a writer that is killed has published whole lines without a gap, and continues after them', async (t) => {
  const sandbox = await Sandbox.open(t)
  const lines = numberedLines(0, 300_000)
  const killed = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(killed), { args: RAW })
  // fails when the writer is killed
  killed.write(lines).catch(() => {})
  await printed(reader, 1)
  killed.signal('SIGKILL')
  await killed.ends('SIGKILL')

  const counting = await sandbox.writer({ args: ['--exit'] })
  counting.end()
  await counting.ends(0)
  const [, durable] = /0 lines published, (\d+) in total/.exec(counting.stderr.text) ?? []
  assert.ok(Number(durable) > 0, counting.stderr.text)

  const writer = await sandbox.writer()
  writer.end(lines.split('\n').slice(Number(durable)).join('\n'))
  await printed(reader, lines.length)
  assert.ok(reader.stdout.text === lines, 'every line once, in order')
})

test('a reader that is stopped and restarted prints every line once', async (t) => {
  const sandbox = await Sandbox.open(t)
  const lines = numberedLines(0, 300_000)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  writer.end(lines)
  let output = ''
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143]
  ] as const) {
    const reader = await sandbox.reader(key, { args: RAW })
    await printed(reader, 1)
    // a full pipe makes it wait
    reader.stdout.pause()
    reader.signal(signal)
    reader.stdout.resume()
    await reader.ends(code)
    output += reader.stdout.text
    assert.ok(reader.stdout.length < lines.length / 10, `it printed ${reader.stdout.length} bytes`)
  }
  await writer.stderr.says('end of input')
  const last = await sandbox.reader(key, { args: ['--raw', '--exit'] })
  await last.ends(0)
  output += last.stdout.text
  assert.ok(output === lines, `every line once, in order: ${output.length} bytes of ${lines.length}`)
})

test('a reader that is stopped while it waits continues with the next line', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  for (let start = 0; start < 3; start++) {
    await writer.write(`${start}\n`)
    const reader = await sandbox.reader(key, { args: RAW })
    await printed(reader, 2)
    reader.signal('SIGTERM')
    await reader.ends(143)
    assert.equal(reader.stdout.text, `${start}\n`)
  }
})

/** How many lines of `before` are repeated in `after`. Throws if a line of `lines` is in neither. */
function repeated(lines: string, before: string, after: string): number {
  assert.ok(lines.startsWith(before), 'what was printed before is the beginning')
  assert.ok(lines.endsWith(after), 'what was printed after is the rest')
  const overlap = before.length - (lines.length - after.length)
  assert.ok(overlap >= 0, `${-overlap} bytes are missing`)
  return before.slice(before.length - overlap).split('\n').length - 1
}

test('a reader that is killed while its pipe is full repeats at most 1,000 lines, and misses none', async (t) => {
  const sandbox = await Sandbox.open(t)
  const lines = numberedLines(0, 100_000)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  writer.end(lines)
  await writer.stderr.says('end of input')
  const killed = await sandbox.reader(key, { args: RAW })
  await printed(killed, 1)
  killed.stdout.pause()
  // a complete run of another reader takes longer than the 100 ms whose lines may be repeated
  const other = await sandbox.reader(key, { args: ['--raw', '--exit'], storage: 'other' })
  await other.ends(0)
  killed.signal('SIGKILL')
  killed.stdout.resume()
  await killed.ends('SIGKILL')

  const next = await sandbox.reader(key, { args: ['--raw', '--exit'] })
  await next.ends(0)
  const twice = repeated(lines, killed.stdout.text, next.stdout.text)
  assert.ok(killed.stdout.length < lines.length, 'it was killed before the end')
  assert.ok(twice <= 1000, `${twice} lines came twice`)
})

test('a reader that is killed at full speed misses no line', async (t) => {
  const sandbox = await Sandbox.open(t)
  const lines = numberedLines(0, 300_000)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  writer.end(lines)
  await writer.stderr.says('end of input')
  const killed = await sandbox.reader(key, { args: RAW })
  await printed(killed, lines.length / 3)
  killed.signal('SIGKILL')
  await killed.ends('SIGKILL')
  const next = await sandbox.reader(key, { args: ['--raw', '--exit'] })
  await next.ends(0)
  const twice = repeated(lines, killed.stdout.text, next.stdout.text)
  t.diagnostic(`${twice} lines came twice`)
})

test('a reader serves the next reader after the writer has exited', async (t) => {
  const sandbox = await Sandbox.open(t)
  const lines = numberedLines(0, 20_000)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  writer.end(lines)
  const first = await sandbox.reader(key, { args: RAW, storage: 'first' })
  await printed(first, lines.length)
  writer.signal('SIGTERM')
  await writer.ends(143)

  const second = await sandbox.reader(key, { args: ['--raw', '--exit'], storage: 'second' })
  await second.ends(0)
  assert.ok(second.stdout.text === lines, 'the same bytes')
})

test('a reader without peers prints its local data, and exits with 3 because there may be more', async (t) => {
  const sandbox = await Sandbox.open(t)
  const lines = numberedLines(0, 100)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write(lines)
  const online = await sandbox.reader(key, { args: RAW })
  await printed(online, lines.length)
  for (const program of [online, writer]) program.signal('SIGTERM')
  await Promise.all([online.ends(143), writer.ends(143)])

  const alone = await sandbox.reader(key, { args: ['--raw', '--exit', '--from', 'start', '--timeout', '1'] })
  await alone.ends(3)
  assert.equal(alone.stdout.text, lines)
})
