import { decodeJournalRecord, type JournalRecord, type LogManifest, lineCount } from '@many-cores/protocol'
import { awaitBlock, type Blocks, type Patience } from './blocks.ts'

/** The journal of a log: its bootstrap core's blocks from 1 on. */
export interface Journal {
  readonly blocks: Blocks
  readonly manifest: LogManifest
  readonly patience: Patience
}

/** The record in block `index`, which exists. */
export async function readRecord(
  { blocks, manifest, patience }: Journal,
  index: number
): Promise<JournalRecord> {
  const block = await awaitBlock(blocks.take(index), blocks.name, index, patience)
  return decodeJournalRecord(block, { cores: manifest.cores.length, framing: manifest.framing })
}

/** The position behind the last record that is known. */
export async function endPosition(journal: Journal): Promise<number> {
  const { length } = journal.blocks
  if (length < 2) return 0
  const last = await readRecord(journal, length - 1)
  return last.seq + lineCount(last)
}

/** The block of the record that holds `position`, or the one behind the last; by bisection: 20 records of a million. */
export async function seek(journal: Journal, position: number): Promise<number> {
  const { length } = journal.blocks
  if (position === 0 || length < 2) return 1
  if (position >= (await endPosition(journal))) return length
  let low = 1
  let high = length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    const { seq } = await readRecord(journal, middle)
    if (seq <= position) low = middle
    else high = middle - 1
  }
  return low
}
