import assert from 'node:assert/strict'
import test from 'node:test'
import b4a from 'b4a'
import { underLoad } from '../harness/load.ts'
import { assertOneFault, HostileLog } from './hostile-log.ts'
import { MAX_MEMORY, MEGABYTE } from './memory.ts'

const OWN = Symbol('the key of the log itself')
const hex = (number: number): string => number.toString(16).padStart(64, '0')

const MANIFESTS: Readonly<Record<string, unknown>> = {
  'is not JSON': b4a.from('{"otherKeys": ['),
  'is not UTF-8': b4a.from([0xff, 0xfe, 0x00]),
  'is empty': b4a.alloc(0),
  'is null': null,
  'is a list': [],
  'is a number': 2 ** 53,
  'has no keys': { otherKeys: undefined },
  'has a key that is a number': { otherKeys: [7] },
  'has an invalid key': { otherKeys: ['../../etc/passwd'] },
  'has a key twice': { otherKeys: [hex(1), hex(1)] },
  'has its own key': { otherKeys: [OWN] },
  'has 100,000 keys': { otherKeys: Array.from({ length: 100_000 }, (_, index) => hex(index)) },
  'has a __proto__': b4a.from('{"__proto__": {"otherKeys": ["aa"], "version": 1}}'),
  'has more names than keys': { cores: [{ name: 'a' }, { name: 'b' }] },
  'has a name that moves the cursor': { cores: [{ name: '\u001b[2J' }] },
  'has a rule for a billion cores': { routing: { rule: 'hash', cores: 1e9 } },
  'has an unknown rule': { routing: { rule: 'regex', pattern: '(a+)+$' } },
  'has a version from the future': { version: 2 },
  'is 15 MB of brackets': b4a.alloc(15_000_000, '['),
  'is 15 MB of blanks': b4a.alloc(15_000_000, ' ')
}

for (const [fault, block] of Object.entries(MANIFESTS)) {
  test(`a block 0 that ${fault}: 5, one line, and little memory`, async (t) => {
    const log = await HostileLog.open(t)
    const isPart =
      typeof block === 'object' && block !== null && !(block instanceof Uint8Array) && !Array.isArray(block)
    const whole = isPart ? log.manifest(block as Record<string, unknown>) : block
    const text =
      whole instanceof Uint8Array
        ? whole
        : JSON.stringify(whole, (_, value: unknown): unknown => (value === OWN ? log.key : value))
    await log.append(typeof text === 'string' ? b4a.from(text) : text)
    const { reader, memory } = await log.read(5)
    assertOneFault(reader, /^reader: \S/)
    assert.equal(reader.stdout.text, '')
    assert.ok(memory < MAX_MEMORY, `${memory / MEGABYTE} MiB`)
  })
}

test('Hypercore can neither write nor send a block 0 of 50 MB', async (t) => {
  const log = await HostileLog.open(t)
  await assert.rejects(log.bootstrap.append(b4a.alloc(50_000_000, ' ')))
})

const RECORDS: Readonly<Record<string, unknown>> = {
  'claims 2^53 lines': { seq: 0, time: 1, at: [[0, 0, 1]], order: [0, 2 ** 53] },
  'claims 10^9 lines': { seq: 0, time: 1, at: [[0, 0, 1]], order: [0, 1e9] },
  'claims 2^53 blocks': { seq: 0, time: 1, at: [[0, 0, 2 ** 53]], order: [0, 1] },
  'claims 60,000 blocks at 2^52': {
    seq: 0,
    time: 1,
    at: [[0, 2 ** 52, 60_000]],
    order: [0, 60_000]
  },
  'begins at 2^53': { seq: 2 ** 53, time: 1, at: [[0, 0, 1]], order: [0, 1] },
  'names a core twice': {
    seq: 0,
    time: 1,
    at: [
      [0, 0, 1],
      [0, 1, 1]
    ],
    order: [0, 2]
  },
  'has unknown members': { take: 'over' },
  'is not JSON': b4a.from('{{'),
  'is 10 MB': b4a.alloc(10_000_000, '1')
}

for (const [fault, record] of Object.entries(RECORDS)) {
  test(`a journal record that ${fault}: 5, one line, and little memory`, async (t) => {
    const log = await HostileLog.open(t)
    await log.append(log.manifest(), record)
    await log.data.append(b4a.from('a line\n'))
    const { reader, memory } = await log.read(5, '--exit')
    assertOneFault(reader, /^reader: \S/)
    assert.ok(memory < MAX_MEMORY, `${memory / MEGABYTE} MiB`)
  })
}

/** Options for which a reader searches the journal. */
const BOUNDS: readonly (readonly string[])[] = [
  ['--from', '25'],
  ['--tail', '5'],
  ['--from', '@1970-01-01T00:00:20Z'],
  ['--from', '5', '--until', '-3']
]

test('a journal with a false record in the middle: a reader that searches it soon exits with 5 and one line', async (t) => {
  const log = await HostileLog.open(t)
  const numbers = Array.from({ length: 40 }, (_, number) => number)
  // bisection reads the record in the middle
  const seqOf = (number: number): number => (number === 20 ? 2 ** 53 - 2 : number)
  const recordOf = (number: number): unknown => ({
    seq: seqOf(number),
    time: number * 1000,
    at: [[0, number, 1]],
    order: [0, 1]
  })
  await log.data.append(numbers.map((number) => b4a.from(`line ${number}\n`)))
  await log.append(log.manifest(), ...numbers.map(recordOf))
  const read = async (bounds: readonly string[]): Promise<void> => {
    const began = performance.now()
    const { reader, code, memory } = await log.attempt(bounds.join(' '), ['--raw', '--exit', ...bounds])
    const took = performance.now() - began
    assert.equal(code, 5, reader.stderr.text)
    assertOneFault(reader, /^reader: block 21 of core bootstrap: invalid journal record: \S/)
    assert.equal(reader.stdout.text, '')
    assert.ok(took < underLoad(5000), `${took} ms`)
    assert.ok(memory < MAX_MEMORY, `${memory / MEGABYTE} MiB`)
  }
  await Promise.all(BOUNDS.map(read))
})

test('control characters in lines are escaped, and no line can imitate another', async (t) => {
  const log = await HostileLog.open(t)
  const forged = `Block 7 in Core ${log.key}: forged`
  const lines = [
    '\u001b[2J\u001b[H',
    `a\r${forged}`,
    `b\u2028${forged}`,
    '\u202egnihton',
    '\u009b31m',
    '\u0007\u0000'
  ]
  const block = b4a.from(lines.map((line) => `${line}\n`).join(''))
  await log.append(log.manifest(), { seq: 0, time: 1, at: [[0, 0, 1]], order: [0, lines.length] })
  await log.data.append(block)
  const { reader } = await log.read(0, '--exit')
  const prefix = `Block 0 in Core ${b4a.toString(log.data.key as Uint8Array, 'hex')}: `
  const shown = reader.stdout.text.split('\n')
  assert.equal(shown.pop(), '')
  assert.equal(shown.length, lines.length)
  for (const line of shown) {
    assert.ok(line.startsWith(prefix), line)
    assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
  }
  const raw = await log.read(0, '--exit', '--raw', '--from', 'start')
  assert.ok(raw.reader.stdout.bytes.equals(Buffer.from(block)))
})

test('a block of a tutorial log with newlines in it is printed as one line', async (t) => {
  const log = await HostileLog.open(t)
  await log.append({ otherKeys: [b4a.toString(log.data.key as Uint8Array, 'hex')] })
  await log.data.append(b4a.from('one\nBlock 7 in Core x: forged\n'))
  const { reader } = await log.read(0, '--exit')
  assert.equal(reader.stdout.lineCount, 1, reader.stdout.text)
})
