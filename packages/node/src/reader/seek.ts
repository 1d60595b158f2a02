import { endOfRecord, type JournalRecord, type LogManifest } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import type { KnownRecords } from '../journal/plausible.ts'
import { decodeRecord, naming } from '../journal/record.ts'
import { awaitBlock, type Blocks, type Patience } from './blocks.ts'
import type { OrderedBound } from './bound.ts'

/** The journal of a log: its bootstrap core's blocks from 1 on. */
export interface Journal {
  readonly blocks: Blocks
  readonly manifest: LogManifest
  readonly patience: Patience
  /** What was read of it while a place was looked for. */
  readonly known: KnownRecords
}

/** The record in block `index`, which exists. */
export async function readRecord(
  { blocks, manifest, patience, known }: Journal,
  index: number
): Promise<JournalRecord> {
  const block = await awaitBlock(blocks.take(index), blocks.name, index, patience)
  const record = decodeRecord(block, index, manifest)
  naming(index, () => known.add(index, record))
  return record
}

/** The position behind the last record that is known. */
export async function endPosition(journal: Journal): Promise<number> {
  const { length } = journal.blocks
  return length < 2 ? 0 : endOfRecord(await readRecord(journal, length - 1))
}

/** The same without asking any peer: null where the last record is not stored. */
export async function storedEndPosition(bootstrap: Hypercore, manifest: LogManifest): Promise<number | null> {
  const last = bootstrap.length - 1
  if (last < 1) return 0
  const block = await bootstrap.get(last, { wait: false })
  return block === null ? null : endOfRecord(decodeRecord(block, last, manifest))
}

/** The position that `bound` stands for, now. */
export async function positionOf(journal: Journal, bound: OrderedBound): Promise<number> {
  if (typeof bound === 'object') return await findTime(journal, bound.time)
  if (bound === 'end') return await endPosition(journal)
  return bound < 0 ? Math.max(0, (await endPosition(journal)) + bound) : bound
}

/** The block of the record that holds `position`, or the one behind the last; by bisection: 20 records of a million. */
export async function seek(journal: Journal, position: number): Promise<number> {
  const { length } = journal.blocks
  if (position === 0 || length < 2) return 1
  if (position >= (await endPosition(journal))) return length
  // the last record that does not begin behind the position
  return Math.max(1, (await bisect(journal, ({ seq }) => seq > position)) - 1)
}

/** The position of the first line that was made durable at `time` or later, or the end. */
async function findTime(journal: Journal, time: number): Promise<number> {
  const { length } = journal.blocks
  if (length < 2) return 0
  const last = await readRecord(journal, length - 1)
  if (last.time < time) return endOfRecord(last)
  return (await readRecord(journal, await bisect(journal, (record) => record.time >= time))).seq
}

/** The first block whose record `isBehind`, or the one behind the last. Later records are behind, too. */
async function bisect(journal: Journal, isBehind: (record: JournalRecord) => boolean): Promise<number> {
  let low = 1
  let high = journal.blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBehind(await readRecord(journal, middle))) high = middle
    else low = middle + 1
  }
  return low
}
