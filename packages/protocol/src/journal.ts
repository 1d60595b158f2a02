import b4a from 'b4a'
import { ProtocolError } from './errors.ts'
import type { Framing } from './framing.ts'
import { decodeJsonObject, isCount, isList, type JsonObject } from './json.ts'
import { MAX_BATCH_LINES, MAX_RECORD_BYTES } from './limits.ts'

/** What a batch adds to one core: the core's index, its length before the batch, how many blocks the batch adds. */
export type CoreExtent = readonly [core: number, length: number, blocks: number]

/** One batch: the order of its lines across the data cores. */
export interface JournalRecord {
  /** Lines published before this batch: the position of its first line. */
  readonly seq: number
  /** When the batch was made durable, in ms since 1970. Never less than the record before it. */
  readonly time: number
  /** The cores that the batch touches, by ascending index. */
  readonly at: readonly CoreExtent[]
  /** `core, count, core, count, …`: the batch's lines, in order, as runs that lie in one core. */
  readonly order: readonly number[]
}

/** What a decoder must know of the log that a record belongs to. */
export interface JournalContext {
  /** How many data cores the manifest names. */
  readonly cores: number
  readonly framing: Framing
}

const WHAT = 'a journal record'

/** A record as a block of the bootstrap core. The caller keeps to the limits: `decodeJournalRecord` is the judge. */
export function encodeJournalRecord({ seq, time, at, order }: JournalRecord): Uint8Array {
  return b4a.from(JSON.stringify({ seq, time, at, order }))
}

/**
 * The record that a later block of the bootstrap core is. Trusts nothing; unknown members are ignored.
 *
 * @throws ProtocolError `BAD_RECORD` for a fault of form or of limits; `UNKNOWN_BLOCK` for JSON that is no journal record,
 * which a newer version may write and nobody may skip.
 */
export function decodeJournalRecord(bytes: Uint8Array, context: JournalContext): JournalRecord {
  const record = decodeJsonObject(bytes, { what: WHAT, code: 'BAD_RECORD', maxBytes: MAX_RECORD_BYTES })
  if (record.seq === undefined && record.order === undefined) {
    throw new ProtocolError(
      'UNKNOWN_BLOCK',
      'the bootstrap core has a block that is no journal record: is there newer software for this log?'
    )
  }
  const { seq, time } = record
  if (!isCount(seq) || !isCount(time)) throw badRecord('"seq" and "time" are whole numbers')
  const at = decodeExtents(record, context.cores)
  const { order, lines } = decodeOrder(record, at, context.framing)
  if (!Number.isSafeInteger(seq + lines)) throw badRecord('its positions pass 2^53')
  return { seq, time, at, order }
}

/** How many lines the batch has. */
export function lineCount({ order }: JournalRecord): number {
  let lines = 0
  for (let run = 1; run < order.length; run += 2) lines += order[run] as number
  return lines
}

/** The position behind its last line. */
export function endOfRecord(record: JournalRecord): number {
  return record.seq + lineCount(record)
}

/** Where a succession begins. */
export interface SuccessionOptions {
  /** The first record is that of the log: it has `seq` 0, and no core has a block before its first. Default false. */
  readonly fromStart?: boolean
}

/**
 * Checks one record after the other, in the order of the journal, from any record on.
 *
 * The function throws ProtocolError `BAD_RECORD` where a record does not go on where the one before it ended: its `seq`,
 * its `time`, or the length of a core that both touch.
 */
export function createSuccession({
  fromStart = false
}: SuccessionOptions = {}): (record: JournalRecord) => void {
  const lengths = new Map<number, number>()
  let previous: JournalRecord | null = fromStart ? BEFORE_ALL : null
  return (record) => {
    if (previous !== null) checkSuccession(previous, record)
    for (const [core, length, blocks] of record.at) {
      const expected = lengths.get(core) ?? (fromStart ? 0 : length)
      if (length !== expected)
        throw badRecord(`core ${core} had ${expected} blocks after the record before it, not ${length}`)
      lengths.set(core, length + blocks)
    }
    previous = record
  }
}

const BEFORE_ALL: JournalRecord = { seq: 0, time: 0, at: [], order: [] }

function checkSuccession(previous: JournalRecord, record: JournalRecord): void {
  const expected = endOfRecord(previous)
  if (record.seq !== expected)
    throw badRecord(`it begins at position ${record.seq}, but the record before it ended at ${expected}`)
  if (record.time < previous.time)
    throw badRecord(`its time ${record.time} lies before that of the record before it, ${previous.time}`)
}

function decodeExtents({ at }: JsonObject, cores: number): CoreExtent[] {
  if (!isList(at) || at.length === 0) throw badRecord('"at" is a list that names at least one core')
  let last = -1
  return at.map((extent) => {
    if (!isExtent(extent)) throw badRecord('"at" has an entry that is not [core, length, blocks]')
    const [core, length, blocks] = extent
    if (core <= last) throw badRecord('the cores of "at" must ascend')
    if (core >= cores) throw badRecord(`it names core ${core}; the log has ${cores}`)
    if (blocks === 0 || blocks > MAX_BATCH_LINES || !Number.isSafeInteger(length + blocks)) {
      throw badRecord(`it adds ${blocks} blocks to core ${core}; from 1 to ${MAX_BATCH_LINES} are allowed`)
    }
    last = core
    return extent
  })
}

function isExtent(value: unknown): value is CoreExtent {
  return isList(value) && value.length === 3 && value.every(isCount)
}

function decodeOrder(
  { order }: JsonObject,
  at: readonly CoreExtent[],
  framing: Framing
): { order: readonly number[]; lines: number } {
  if (!isList(order) || order.length === 0 || order.length % 2 === 1)
    throw badRecord('"order" is a list of pairs')
  const counts = new Map<unknown, number>(at.map(([core]) => [core, 0]))
  let lines = 0
  for (let run = 0; run < order.length; run += 2) {
    const [core, count] = [order[run], order[run + 1]]
    const before = counts.get(core)
    if (before === undefined) throw badRecord('"order" names a core that "at" does not')
    if (!isCount(count) || count === 0)
      throw badRecord('"order" has a run that is not a number of lines from 1')
    counts.set(core, before + count)
    lines += count
    if (lines > MAX_BATCH_LINES) throw badRecord(`it has more than ${MAX_BATCH_LINES} lines`)
  }
  for (const [core, , blocks] of at) checkCounts(core, blocks, counts.get(core) ?? 0, framing)
  // every count was checked above, and every core is one of the checked `at`
  return { order: order as readonly number[], lines }
}

function checkCounts(core: number, blocks: number, lines: number, framing: Framing): void {
  if (framing === 'none' ? blocks === lines : blocks <= lines) return
  throw badRecord(`it adds ${blocks} blocks to core ${core} for ${lines} lines`)
}

function badRecord(fault: string): ProtocolError {
  return new ProtocolError('BAD_RECORD', `${WHAT} is wrong: ${fault}`)
}
