import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  encodeJournalRecord,
  encodeManifest,
  type JournalRecord,
  keyFromBytes,
  type LogManifest,
  ProtocolError
} from '@many-cores/protocol'
import { deadline } from '@many-cores/testing'
import { type Bound, openReader, type Reader } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { createMachine, text } from '../testing/support.ts'

/** The log has this many records, of a line each, a second apart. */
const RECORDS = 40
const MIDDLE = 20
const SECOND = 1000

/** Makes record `number` of a journal wrong. */
type Lie = (record: JournalRecord, number: number) => JournalRecord

const LIES: Readonly<Record<string, Lie>> = {
  'a record in the middle claims the last possible position': (record, number) =>
    number === MIDDLE ? { ...record, seq: 2 ** 53 - 2 } : record,
  'a record in the middle claims to begin far ahead': (record, number) =>
    number === MIDDLE ? { ...record, seq: 5000 } : record,
  'half of the positions occur twice': (record, number) =>
    number >= MIDDLE ? { ...record, seq: number - 15 } : record,
  'the last record claims to begin at the start again': (record, number) =>
    number === RECORDS - 1 ? { ...record, seq: 2 } : record,
  'the last record claims that 2^52 blocks come before': (record, number) =>
    number === RECORDS - 1 ? { ...record, at: [[0, 2 ** 52, 1]] } : record,
  'a record in the middle claims the last possible time': (record, number) =>
    number === MIDDLE ? { ...record, time: 2 ** 53 - 1 } : record,
  'times decrease from the middle on': (record, number) =>
    number >= MIDDLE ? { ...record, time: (RECORDS - number) * SECOND } : record
}

/** Where a reader begins and ends, and the lines between. */
const RANGES: readonly (readonly [from: Bound, until: Bound | undefined, first: number, end: number])[] = [
  ['start', undefined, 0, RECORDS],
  [25, undefined, 25, RECORDS],
  [25, 30, 25, 30],
  [10, { time: 30 * SECOND }, 10, 30],
  [-5, undefined, RECORDS - 5, RECORDS],
  [-30, undefined, RECORDS - 30, RECORDS],
  [{ time: MIDDLE * SECOND }, undefined, MIDDLE, RECORDS],
  [{ time: 5 * SECOND }, { time: 35 * SECOND }, 5, 35],
  [5, -3, 5, RECORDS - 3],
  [RECORDS - 1, undefined, RECORDS - 1, RECORDS],
  [2 ** 53 - 1, undefined, RECORDS, RECORDS]
]

for (const [lie, distort] of Object.entries({ nothing: (record: JournalRecord) => record, ...LIES })) {
  test(`a reader of a part of a journal gets its lines or a fault: ${lie}`, async (t) => {
    const reader = await readLog(t, distort)
    for (const [from, until, first, end] of RANGES) {
      const lines: string[] = []
      const options = { from, live: false, ...(until !== undefined && { until }) }
      const reading = (async () => {
        for await (const { line } of reader.follow(options)) lines.push(text(line))
      })()
      const fault: unknown = await deadline(JSON.stringify(options), reading).catch((error: unknown) => error)
      const honest = Array.from({ length: end - first }, (_, index) => lineOf(first + index))
      // the lines before a fault are right as well
      assert.deepEqual(lines, honest.slice(0, lines.length), JSON.stringify(options))
      if (fault === undefined)
        assert.ok(lines.length === honest.length || isNewer(lie, from), JSON.stringify(options))
      else assert.match(fault instanceof ProtocolError ? fault.message : '', /^block \d+ of core bootstrap: /)
      if (distort === LIES[lie] && from === 'start') assert.ok(fault !== undefined)
    }
  })
}

/** If times decrease, the last record has an early time, and a reader from a later time gets no lines. */
function isNewer(lie: string, from: Bound): boolean {
  return lie.startsWith('times decrease') && typeof from === 'object'
}

/** A reader of a log whose records are distorted. */
async function readLog(t: TestContext, distort: Lie): Promise<Reader> {
  const node = await (await createMachine(t)).open('w')
  const { store } = internalsOf(node)
  const [bootstrap, data] = [store.get({ name: 'core-1' }), store.get({ name: 'core-2' })]
  await Promise.all([bootstrap.ready(), data.ready()])
  const key = keyFromBytes(bootstrap.key as Uint8Array)
  const manifest: LogManifest = {
    version: 1,
    cores: [{ key: keyFromBytes(data.key as Uint8Array), name: 'all' }],
    routing: { rule: 'hash', cores: 1 },
    framing: 'newline'
  }
  const numbers = Array.from({ length: RECORDS }, (_, number) => number)
  await data.append(numbers.map((number) => Buffer.from(lineOf(number))))
  await bootstrap.append([
    encodeManifest(manifest, key),
    ...numbers.map((number) => encodeJournalRecord(distort(honestRecord(number), number)))
  ])
  return await openReader(node, key)
}

function honestRecord(number: number): JournalRecord {
  return { seq: number, time: number * SECOND, at: [[0, number, 1]], order: [0, 1] }
}

function lineOf(number: number): string {
  return `line ${number}\n`
}
