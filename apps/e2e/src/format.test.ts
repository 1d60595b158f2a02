import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { Program } from './harness/program.ts'
import { numberedLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

const EVERYTHING = ['--exit', '--from', 'start']
const KEY = /^[0-9a-f]{64}$/

interface JsonLine {
  readonly position: number
  readonly core: string
  readonly key: string
  readonly index: number
  readonly time: number
  readonly text?: string
  readonly base64?: string
}

interface Log {
  readonly sandbox: Sandbox
  readonly key: string
  /** Runs a reader to its end; what it printed. */
  readonly read: (...args: readonly string[]) => Promise<string>
}

/** A log of `input`, all of it durable, with a writer that serves it. */
async function openLog(t: TestContext, input: string | Uint8Array): Promise<Log> {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  writer.end(input)
  await writer.stderr.says('standard input has ended')
  const read = async (...args: readonly string[]): Promise<string> => {
    const reader = await sandbox.reader(key, { args })
    await reader.ends(0)
    return reader.stdout.text
  }
  return { sandbox, key, read }
}

function parse(output: string): JsonLine[] {
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JsonLine)
}

test('without an option each line is the tutorial’s: Block N in Core <key>: <line>', async (t) => {
  const { read } = await openLog(t, 'hi\nhello there\nyo\nanother long one\nno end')
  const lines = (await read(...EVERYTHING)).split('\n')
  assert.equal(lines.pop(), '', 'the last line has its end')
  const parsed = lines.map((line) => {
    const match = /^Block (\d+) in Core ([0-9a-f]{64}): (.*)$/.exec(line)
    assert.ok(match, line)
    return { index: Number(match[1]), key: match[2], line: match[3] }
  })
  assert.deepEqual(
    parsed.map(({ line }) => line),
    ['hi', 'hello there', 'yo', 'another long one', 'no end']
  )
  const [short, long] = [parsed[0]?.key, parsed[1]?.key]
  assert.notEqual(short, long)
  assert.deepEqual(
    parsed.map(({ key }) => key),
    [short, long, short, long, long]
  )
  assert.equal(parsed[0]?.index, 0)
})

test('the text form never sends a control character to the terminal', async (t) => {
  const controls = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).filter(
    (c) => c !== '\n'
  )
  const input = `${controls.join('x')}\n\x7f\x9b31m \u2028 \u202e \u2066\n${'\x1b'.repeat(10)}\nCRLF\r\n`
  const { read } = await openLog(t, input)
  const output = await read(...EVERYTHING)
  assert.equal(output.split('\n').length, 5)
  assert.doesNotMatch(output, /[^\P{Cc}\t\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
  assert.match(output, /\\x9b31m \\u2028 \\u202e \\u2066\n/)
  assert.match(output, /: CRLF\n/)
})

test('--json is one object a line, with all that is known of it', async (t) => {
  const began = Date.now()
  const { read } = await openLog(
    t,
    Buffer.concat([Buffer.from('hi\nhello there\n'), Buffer.of(0xff, 0x00, 0x0a)])
  )
  const entries = parse(await read('--json', ...EVERYTHING))
  assert.deepEqual(
    entries.map(({ position, core, text, base64 }) => ({ position, core, text, base64 })),
    [
      { position: 0, core: 'short', text: 'hi\n', base64: undefined },
      { position: 1, core: 'long', text: 'hello there\n', base64: undefined },
      { position: 2, core: 'short', text: undefined, base64: Buffer.of(0xff, 0x00, 0x0a).toString('base64') }
    ]
  )
  for (const { key, index, time } of entries) {
    assert.match(key, KEY)
    assert.ok(Number.isSafeInteger(index) && index >= 0)
    assert.ok(time >= began && time <= Date.now(), `${time}`)
  }
})

test('positions go on over starts of the writer', async (t) => {
  const sandbox = await Sandbox.open(t)
  for (const line of ['zero\n', 'one\n']) await sandbox.publish(line)
  const writer = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--json', '--count', '3'] })
  await writer.write('two\n')
  await reader.ends(0)
  assert.deepEqual(
    parse(reader.stdout.text).map(({ position, text }) => [position, text]),
    [
      [0, 'zero\n'],
      [1, 'one\n'],
      [2, 'two\n']
    ]
  )
})

test('--from takes a position', async (t) => {
  const { read } = await openLog(t, 'zero\none\ntwo\nthree\n')
  assert.equal(await read('--raw', '--exit', '--from', '2'), 'two\nthree\n')
  assert.equal(await read('--raw', '--exit', '--from', '4'), '')
})

test('--from -3 --count 2 is the third and the second line before the end', async (t) => {
  const { read } = await openLog(t, 'zero\none\ntwo\nthree\nfour\n')
  assert.equal(await read('--raw', '--from', '-3', '--count', '2'), 'two\nthree\n')
  assert.equal(await read('--raw', '--exit', '--from', '-99'), 'zero\none\ntwo\nthree\nfour\n')
})

test('--from -1 and --from end mean the log’s end, not that of a reader’s store that has been away', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write('old\n')
  for (const storage of ['last', 'end']) {
    const early = await sandbox.reader(key, { args: ['--raw', '--count', '1'], storage })
    await early.ends(0)
  }
  await writer.write('newer\nnewest\n')
  const witness = await sandbox.reader(key, { args: ['--raw', '--count', '3'], storage: 'witness' })
  await witness.ends(0)

  const last = await sandbox.reader(key, { args: ['--raw', '--from', '-1', '--count', '1'], storage: 'last' })
  await last.ends(0)
  assert.equal(last.stdout.text, 'newest\n')
  for (const storage of ['end', 'fresh']) {
    const reader = await sandbox.reader(key, { args: ['--raw', '--from', 'end'], storage })
    assert.match(await firstOf(reader, writer), /^later \d+$/)
  }
})

/** The first line that `reader` prints while `writer` has ever new ones: that it has found its place cannot be seen otherwise. */
async function firstOf(reader: Program, writer: Program): Promise<string> {
  let count = 0
  const typing = setInterval(() => void writer.write(`later ${count++}\n`), 20)
  try {
    const [first = ''] = await reader.stdout.firstLines(1)
    return first
  } finally {
    clearInterval(typing)
  }
}

test('--only prints the lines of one core, in their order', async (t) => {
  const { read } = await openLog(t, 'a\nlong line 1\nb\nlong line 2\nc\n')
  assert.equal(await read('--raw', '--only', 'short', ...EVERYTHING), 'a\nb\nc\n')
  assert.equal(await read('--raw', '--only', 'long', ...EVERYTHING), 'long line 1\nlong line 2\n')
})

test('--only with a name that the log does not have exits 2 and says which it has', async (t) => {
  const { sandbox, key } = await openLog(t, 'a\n')
  const reader = await sandbox.reader(key, { args: ['--only', 'shrot', '--exit'] })
  await reader.ends(2)
  assert.match(reader.stderr.text, /short, long/)
})

test('--count leaves after so many lines, and the next run goes on behind them', async (t) => {
  const { read } = await openLog(t, numberedLines(0, 2000))
  // more than are printed in one go: the cursor has to keep up
  assert.equal(await read('--raw', '--count', '1500'), numberedLines(0, 1500))
  assert.equal(await read('--raw', '--count', '1'), numberedLines(1500, 1))
  assert.equal(await read('--raw', '--exit'), numberedLines(1501, 499))
})

test('each --group has a cursor of its own', async (t) => {
  const { read } = await openLog(t, 'zero\none\n')
  assert.equal(await read('--raw', '--group', 'mail', '--count', '1'), 'zero\n')
  assert.equal(await read('--raw', '--exit'), 'zero\none\n')
  assert.equal(await read('--raw', '--group', 'mail', '--exit'), 'one\n')
})

test('the key may be z-base-32, upper case, and with pear://', async (t) => {
  const { key, sandbox } = await openLog(t, 'found\n')
  for (const spelling of [`pear://${key.toUpperCase()}`, z32Of(key)]) {
    const reader = await sandbox.reader(spelling, { args: ['--raw', ...EVERYTHING] })
    await reader.ends(0)
    assert.equal(reader.stdout.text, 'found\n')
  }
})

test('--quiet says nothing, and options come from the environment', async (t) => {
  const { sandbox, key } = await openLog(t, 'one\ntwo\n')
  const reader = await sandbox.reader(key, {
    args: ['--quiet'],
    env: { MANY_CORES_RAW: '1', MANY_CORES_FROM: 'start', MANY_CORES_COUNT: '1' }
  })
  await reader.ends(0)
  assert.equal(reader.stdout.text, 'one\n')
  assert.equal(reader.stderr.text, '')
})

/** Hex as z-base-32, five bits a character. */
function z32Of(hex: string): string {
  const bits = Array.from(Buffer.from(hex, 'hex'), (byte) => byte.toString(2).padStart(8, '0')).join('')
  const fives = bits.match(/.{1,5}/g) ?? []
  return fives
    .map((five) => 'ybndrfg8ejkmcpqxot1uwisza345h769'[Number.parseInt(five.padEnd(5, '0'), 2)])
    .join('')
}
