import { createSuccession, endOfRecord, type JournalRecord, type LogManifest } from '@many-cores/protocol'
import { ignore } from '../errors.ts'
import { decodeRecord, namingBlock } from '../journal/record.ts'
import type { Wait } from '../waiting.ts'
import { awaitBlock, type Blocks, type WaitOptions } from './blocks.ts'
import type { ReadableLog } from './readable-log.ts'
import { refresh } from './refresh.ts'

/** Records requested at once. Doubles up to the maximum, so that few lines cost few records. */
const FIRST_RECORDS = 8
const MAX_RECORDS = 512

export interface CountContext extends WaitOptions {
  /** For a peer that knows the lengths of the cores. */
  readonly wait: Wait
  /** Whether the lines of this data core count. */
  readonly wants: (core: number) => boolean
}

/**
 * The position of the first of the last `count` lines of the wanted cores: of their first line if there are fewer, the end
 * of the log if there are none. Reads the journal backwards, and no lines.
 */
export async function countBack(
  log: ReadableLog<LogManifest>,
  journal: Blocks,
  count: number,
  context: CountContext
): Promise<number> {
  const { wants, wait } = context
  // the cores that may have earlier lines
  const cores = new Set(log.manifest.cores.flatMap((_, core) => (wants(core) ? [core] : [])))
  let left = count
  let first: number | null = null
  let end = 0
  let records = 0
  for await (const record of backwards(log, journal, context)) {
    end ||= endOfRecord(record)
    for (const [position, lines] of runsBackwards(record, wants)) {
      first = position + Math.max(0, lines - left)
      left -= lines
      if (left <= 0) return first
    }
    for (const [core, length] of record.at) if (length === 0) cores.delete(core)
    // without a check, a core that has no line yet costs the whole journal
    if (++records === MAX_RECORDS) for (const core of await emptyCores(log, cores, wait)) cores.delete(core)
    if (cores.size === 0) break
  }
  return first ?? end
}

async function emptyCores(
  log: ReadableLog,
  indexes: ReadonlySet<number>,
  wait: Wait
): Promise<readonly number[]> {
  const cores = [...indexes].map((index) => ({ index, core: log.openCore(index) }))
  const opened = cores.map(({ core }) => core)
  if (!(await refresh(log.bootstrap, opened, wait))) return []
  return cores.flatMap(({ index, core }) => (core.length === 0 ? [index] : []))
}

/** The runs of the wanted cores in a record, the last one first: the position and the number of its lines. */
function* runsBackwards(
  record: JournalRecord,
  wants: (core: number) => boolean
): Generator<readonly [position: number, lines: number], void, undefined> {
  const { order } = record
  let position = endOfRecord(record)
  for (let run = order.length - 2; run >= 0; run -= 2) {
    const [core, lines] = [order[run] as number, order[run + 1] as number]
    position -= lines
    if (wants(core)) yield [position, lines]
  }
}

/** The records of the journal, the last one first. Each is checked against the one after it. */
async function* backwards(
  { manifest }: ReadableLog<LogManifest>,
  journal: Blocks,
  context: CountContext
): AsyncGenerator<JournalRecord, void, undefined> {
  let later: JournalRecord | null = null
  let ahead = FIRST_RECORDS
  for (let end = journal.length; end > 1; ahead = Math.min(MAX_RECORDS, ahead * 2)) {
    const indexes = Array.from({ length: Math.min(ahead, end - 1) }, () => --end)
    const blocks = indexes.map((index) => journal.get(index))
    // those after the last one that is needed are cancelled
    for (const block of blocks) block.catch(ignore)
    for (const [offset, index] of indexes.entries()) {
      const block = await awaitBlock(blocks[offset] as Promise<Uint8Array>, journal, index, context)
      const record = decodeRecord(block, index, manifest)
      checkSuccession(record, later, index)
      later = record
      yield record
    }
  }
}

function checkSuccession(record: JournalRecord, later: JournalRecord | null, index: number): void {
  const check = createSuccession({ fromStart: index === 1 })
  namingBlock(index, () => check(record))
  if (later !== null) namingBlock(index + 1, () => check(later))
}
