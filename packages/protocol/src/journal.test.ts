import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import type { ProtocolErrorCode } from './errors.ts'
import {
  createSuccession,
  decodeJournalRecord,
  encodeJournalRecord,
  type JournalContext,
  type JournalRecord,
  lineCount
} from './journal.ts'
import { MAX_BATCH_LINES, MAX_CORES, MAX_RECORD_BYTES } from './limits.ts'
import { bytesOf, countLookups, json, nested, readGolden, refuses, type Spelled } from './testing/golden.ts'

interface Golden {
  readonly canonical: readonly (GoldenBlock & { readonly record: JournalRecord })[]
  readonly accepted: readonly (GoldenBlock & { readonly record: JournalRecord })[]
  readonly invalid: readonly (GoldenBlock & { readonly code: ProtocolErrorCode })[]
  readonly sequences: readonly {
    readonly note: string
    readonly records: readonly JournalRecord[]
    readonly code?: ProtocolErrorCode
  }[]
}

interface GoldenBlock extends Spelled, JournalContext {
  readonly note: string
}

const { canonical, accepted, invalid, sequences } = readGolden<Golden>('journal')
const SAMPLE: JournalRecord = {
  seq: 12345,
  time: 1763800000000,
  at: [
    [0, 60, 1],
    [1, 140, 2]
  ],
  order: [0, 3, 1, 2, 0, 1]
}
const CONTEXT: JournalContext = { cores: 2, framing: 'newline' }

for (const { note, record, ...block } of canonical) {
  test(`a record is encoded to these bytes, and decoded from them: ${note}`, () => {
    assert.deepEqual(decodeJournalRecord(bytesOf(block), block), record)
    assert.equal(b4a.toString(encodeJournalRecord(record)), b4a.toString(bytesOf(block)))
  })
}

for (const { note, record, ...block } of accepted) {
  test(`a record in another spelling is decoded: ${note}`, () => {
    assert.deepEqual(decodeJournalRecord(bytesOf(block), block), record)
  })
}

for (const { note, code, ...block } of invalid) {
  test(`a record is refused with ${code}: ${note}`, () => {
    refuses(code, () => decodeJournalRecord(bytesOf(block), block))
  })
}

for (const { note, records, code } of sequences) {
  test(`a succession of records is ${code === undefined ? 'accepted' : `refused with ${code}`}: ${note}`, () => {
    const check = createSuccession()
    for (const record of code === undefined ? records : records.slice(0, -1)) check(record)
    const last = records.at(-1)
    assert.ok(last)
    if (code !== undefined) refuses(code, () => check(last))
  })
}

test('two successions are independent of each other', () => {
  const [one, other] = [createSuccession(), createSuccession()]
  one({ ...SAMPLE, seq: 0 })
  other(SAMPLE)
})

test('only the four members of a record are encoded', () => {
  const record = { ...SAMPLE, hello: 'world' }
  assert.deepEqual(encodeJournalRecord(record), encodeJournalRecord(SAMPLE))
})

test('the lines of a batch are the sum of its runs', () => {
  assert.equal(lineCount(SAMPLE), 6)
  assert.equal(lineCount({ ...SAMPLE, order: [1, 65_536] }), MAX_BATCH_LINES)
})

test('a record of 1 MiB is decoded, one byte more is refused with BAD_RECORD', () => {
  const bytes = b4a.alloc(MAX_RECORD_BYTES + 1, ' ')
  bytes.set(encodeJournalRecord(SAMPLE))
  assert.deepEqual(decodeJournalRecord(bytes.subarray(0, -1), CONTEXT), SAMPLE)
  refuses('BAD_RECORD', () => decodeJournalRecord(bytes, CONTEXT))
})

test('the largest legal record is decoded in a number of steps proportional to its lines and cores', () => {
  const record = worstRecord()
  assert.equal(lineCount(record), MAX_BATCH_LINES)
  const bytes = encodeJournalRecord(record)
  assert.ok(bytes.byteLength < MAX_RECORD_BYTES, `it has ${bytes.byteLength} bytes`)
  assert.ok(bytes.byteLength > 0.9 * MAX_RECORD_BYTES, `it has only ${bytes.byteLength} bytes`)
  const context: JournalContext = { cores: MAX_CORES, framing: 'newline' }
  const lookups = countLookups(() => decodeJournalRecord(bytes, context))
  assert.ok(lookups <= 2 * (MAX_BATCH_LINES + MAX_CORES), `${lookups} look-ups`)
  assert.deepEqual(decodeJournalRecord(bytes, context), record)
  createSuccession()(record)
})

test('deeply nested lists are refused with BAD_RECORD in every member', () => {
  const deep = nested(100_000)
  const sample = JSON.stringify(SAMPLE)
  for (const [member, value] of Object.entries(SAMPLE)) {
    const text = sample.replace(JSON.stringify(value), deep)
    assert.ok(text.includes(`"${member}":[[[[`))
    refuses('BAD_RECORD', () => decodeJournalRecord(b4a.from(text), CONTEXT))
  }
  refuses('BAD_RECORD', () => decodeJournalRecord(b4a.from(deep), CONTEXT))
})

test('a block of a later version is refused with UNKNOWN_BLOCK, however large its members', () => {
  refuses('UNKNOWN_BLOCK', () => decodeJournalRecord(json({ hello: 'x'.repeat(1_000_000) }), CONTEXT))
})

/** The longest legal record: a run for each line, all cores, lengths and positions near 2^53. */
function worstRecord(): JournalRecord {
  const far = Number.MAX_SAFE_INTEGER - MAX_BATCH_LINES
  const wide = 10_000 // the first core index of five digits
  const order: number[] = []
  for (let core = 0; core < MAX_CORES; core++) order.push(core, 1)
  for (let core = wide; order.length < 2 * MAX_BATCH_LINES; core = core + 1 < MAX_CORES ? core + 1 : wide)
    order.push(core, 1)
  return {
    seq: far,
    time: far,
    at: Array.from({ length: MAX_CORES }, (_, core) => [core, far, core < wide ? 1 : 8] as const),
    order
  }
}
