import b4a from 'b4a'
import { ProtocolError } from './errors.ts'
import type { Framing } from './framing.ts'
import { decodeJsonObject, isCount, isList, type JsonObject } from './json.ts'
import { MAX_BATCH_LINES, MAX_RECORD_BYTES } from './limits.ts'

/** The blocks that a batch adds to one core: the core's index, its length before the batch, the number of blocks. */
export type CoreExtent = readonly [core: number, length: number, blocks: number]

/** One batch: the order of its lines across the data cores. */
export interface JournalRecord {
  /** The position of the batch's first line: the number of lines before the batch. */
  readonly seq: number
  /** When the batch became durable, in ms since 1970. Never less than in the record before. */
  readonly time: number
  /** The cores that the batch adds to, by ascending index. */
  readonly at: readonly CoreExtent[]
  /** `core, count, core, count, …`: the batch's lines in order, as runs of lines of one core. */
  readonly order: readonly number[]
}

/** The properties of a log that its records are checked against. */
export interface JournalContext {
  /** The number of data cores. */
  readonly cores: number
  readonly framing: Framing
}

const WHAT = 'a journal record'

/** A record as a block of the bootstrap core. Does not check the record. */
export function encodeJournalRecord({ seq, time, at, order }: JournalRecord): Uint8Array {
  return b4a.from(JSON.stringify({ seq, time, at, order }))
}

/**
 * Decodes and checks a later block of the bootstrap core.
 *
 * @throws ProtocolError `BAD_RECORD`; `UNKNOWN_BLOCK` for an object that is not a journal record: a later version may write
 * one, and a reader must not skip it.
 */
export function decodeJournalRecord(bytes: Uint8Array, context: JournalContext): JournalRecord {
  const block = decodeJsonObject(bytes, { what: WHAT, code: 'BAD_RECORD', maxBytes: MAX_RECORD_BYTES })
  const { seq, time } = block
  if (seq === undefined && block.order === undefined) {
    throw new ProtocolError(
      'UNKNOWN_BLOCK',
      'the bootstrap core has a block that is not a journal record; a newer version of this software may read it'
    )
  }
  if (!isCount(seq) || !isCount(time)) throw badRecord('"seq" and "time" must be whole numbers')
  const at = decodeExtents(block, context.cores)
  const record = { seq, time, at, order: decodeOrder(block, at, context.framing) }
  if (!Number.isSafeInteger(endOfRecord(record))) throw badRecord('its positions exceed 2^53 - 1')
  return record
}

/** The number of lines in the batch. */
export function lineCount({ order }: JournalRecord): number {
  let lines = 0
  for (let run = 1; run < order.length; run += 2) lines += order[run] as number
  return lines
}

/** The position after the batch's last line. */
export function endOfRecord(record: JournalRecord): number {
  return record.seq + lineCount(record)
}

/** Where a succession begins. */
export interface SuccessionOptions {
  /** The first record checked is the log's first: its `seq` is 0, and the cores are empty before it. Default false. */
  readonly fromStart?: boolean
}

/**
 * Returns a function that checks records one after the other, in the order of the journal, starting at any record.
 *
 * It throws ProtocolError `BAD_RECORD` where a record does not continue the one before: its `seq`, its `time`, or the
 * length of a core.
 */
export function createSuccession({
  fromStart = false
}: SuccessionOptions = {}): (record: JournalRecord) => void {
  const lengths = new Map<number, number>()
  let previous = fromStart ? { end: 0, time: 0 } : null
  return (record) => {
    const { seq, time, at } = record
    if (previous !== null && seq !== previous.end)
      throw badRecord(`it begins at position ${seq}, but the record before it ends at ${previous.end}`)
    if (previous !== null && time < previous.time)
      throw badRecord(`its time ${time} is before ${previous.time}, the time of the record before it`)
    for (const [core, length, blocks] of at) {
      const expected = lengths.get(core) ?? (fromStart ? 0 : length)
      if (length !== expected)
        throw badRecord(`it says that core ${core} had ${length} blocks before it; it had ${expected}`)
      lengths.set(core, length + blocks)
    }
    previous = { end: endOfRecord(record), time }
  }
}

function decodeExtents({ at }: JsonObject, cores: number): CoreExtent[] {
  if (!isList(at) || at.length === 0) throw badRecord('"at" must name at least one core')
  let last = -1
  return at.map((extent) => {
    if (!isExtent(extent)) throw badRecord('an entry of "at" is not [core, length, blocks]')
    const [core, length, blocks] = extent
    if (core <= last) throw badRecord('the cores of "at" must ascend')
    if (core >= cores) throw badRecord(`it names core ${core}; the log has ${cores} cores`)
    if (blocks === 0 || !Number.isSafeInteger(length + blocks))
      throw badRecord(`it adds ${blocks} blocks to the ${length} of core ${core}`)
    last = core
    return extent
  })
}

function isExtent(value: unknown): value is CoreExtent {
  return isList(value) && value.length === 3 && value.every(isCount)
}

function decodeOrder({ order }: JsonObject, at: readonly CoreExtent[], framing: Framing): readonly number[] {
  if (!isList(order) || order.length === 0 || order.length % 2 === 1)
    throw badRecord('"order" must be a list of pairs')
  const counts = new Map<unknown, number>(at.map(([core]) => [core, 0]))
  let lines = 0
  for (let run = 0; run < order.length; run += 2) {
    const [core, count] = [order[run], order[run + 1]]
    const before = counts.get(core)
    if (before === undefined) throw badRecord('"order" names a core that "at" does not name')
    if (!isCount(count) || count === 0) throw badRecord('"order" has a run without a number of lines from 1')
    counts.set(core, before + count)
    lines += count
    if (lines > MAX_BATCH_LINES) throw badRecord(`it has more than ${MAX_BATCH_LINES} lines`)
  }
  for (const [core, , blocks] of at) {
    const own = counts.get(core) as number
    if (framing === 'none' ? blocks !== own : blocks > own)
      throw badRecord(`it adds ${blocks} blocks to core ${core} for ${own} lines`)
  }
  // every count was checked above, and every core is in the checked `at`
  return order as readonly number[]
}

function badRecord(fault: string): ProtocolError {
  return new ProtocolError('BAD_RECORD', `invalid journal record: ${fault}`)
}
