import {
  createRouter,
  createSuccession,
  endOfRecord,
  type JournalRecord,
  type LogManifest,
  MAX_BATCH_BYTES,
  ProtocolError
} from '@many-cores/protocol'
import { ignore, NodeError, translate } from '../errors.ts'
import { decodeRecord, namingBlock } from '../journal/record.ts'
import { assemble } from './assemble.ts'
import type { Batch } from './batch.ts'
import { awaitBlock, Blocks, type WaitOptions } from './blocks.ts'
import type { OrderedBound } from './bound.ts'
import { merge } from './merge.ts'
import type { Progress } from './progress.ts'
import type { ReadableLog } from './readable-log.ts'
import { JournalSearch } from './seek.ts'
import { Window } from './window.ts'

/** How far the plan may run ahead of the consumer, in blocks. */
const PLAN_BLOCKS = 512

/** Journal records prefetched: one round trip to a distant peer covers this many small batches. */
const JOURNAL_AHEAD = 64

/** The limit of the plan before the first batch, so that a few lines cost a few blocks. Doubles with each batch. */
const FIRST_PLAN_BLOCKS = 8

/** At the end of the log, the next block of this many cores, those written to last, is prefetched. */
const NEXT_CORES = 8

export interface FollowContext extends WaitOptions {
  readonly signal: AbortSignal
  /** Where to begin. */
  readonly from: OrderedBound
  /** The line to end before. Null: none. */
  readonly until: OrderedBound | null
  /** Continue with new lines, or end where the journal ended at the beginning. */
  readonly live: boolean
  /** Whether the lines of this data core are wanted. */
  readonly wants: (core: number) => boolean
  /** Called with each journal record, checked, in order. */
  readonly onRecord?: (record: JournalRecord) => void
  readonly progress?: Progress
}

/**
 * Follows a log by its journal: every line once, in the order it was written, history first and then live. Checks the
 * journal records against each other and against the blocks. Blocks are requested in order, a bounded number of bytes ahead.
 *
 * Returns whether it reached `until`; false if it ended because there were no more lines.
 */
export async function* followOrdered(
  log: ReadableLog<LogManifest>,
  context: FollowContext
): AsyncGenerator<Batch, boolean, undefined> {
  const { signal } = context
  if (signal.aborted) return false
  const follower = new Follower(log, context)
  const stop = (): void => void follower.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return yield* follower.batches()
  } catch (error) {
    if (signal.aborted) return false
    throw translate(error)
  } finally {
    signal.removeEventListener('abort', stop)
    await follower.close()
  }
}

/** Where a follower begins, and where it ends: at the first of three limits. */
interface Range {
  readonly begin: number
  readonly endPosition: number
  readonly endTime: number
  /** A block of the journal. */
  readonly endBlock: number
}

/** A record, and the blocks that were requested because of it. */
interface Planned {
  readonly record: JournalRecord
  readonly blocks: readonly PlannedBlock[]
}

interface PlannedBlock {
  readonly core: number
  readonly index: number
  readonly bytes: Promise<Uint8Array>
}

/**
 * The way of a line: `#plan` reads its record from the journal, and `#request` requests the record's blocks. `#collect`
 * waits for them, one batch after the other. `assemble` splits them into lines, checks these against the record and the
 * routing rule, and puts them into order; `batches` yields them. The plan runs ahead of the consumer, and the window limits
 * the bytes of the blocks that it has requested.
 */
class Follower {
  readonly #log: ReadableLog<LogManifest>
  readonly #context: FollowContext
  readonly #journal: Blocks
  readonly #window = new Window()
  readonly #cores = new Map<number, Blocks>()
  /** The cores written to last, with the index of the next block of each; the latest core last. */
  readonly #next = new Map<number, number>()
  #planLimit = FIRST_PLAN_BLOCKS
  /** Whether the plan has reached the end of the range. */
  #isComplete = false
  #closing: Promise<void> | null = null

  constructor(log: ReadableLog<LogManifest>, context: FollowContext) {
    this.#log = log
    this.#context = context
    this.#journal = new Blocks('bootstrap', log.bootstrap)
  }

  async *batches(): AsyncGenerator<Batch, boolean, undefined> {
    const { manifest } = this.#log
    const { progress } = this.#context
    await this.#journal.ready()
    const search = new JournalSearch(this.#journal, manifest, this.#context)
    const range = await this.#findRange(search)
    const { begin, endPosition: end } = range
    if (begin >= end) return true
    progress?.update(begin, 0)
    const plan = merge([this.#plan(await search.blockOf(begin), range)], {
      weight: ({ blocks }) => blocks.length + 1,
      limit: () => this.#planLimit
    })
    const route = createRouter(manifest.routing)
    for await (const { record, blocks } of plan) {
      const { byCore, byteLength } = await this.#collect(record, blocks)
      const batch = assemble(record, byCore, { manifest, route, begin, end })
      if (batch !== null) yield batch
      progress?.update(Math.min(endOfRecord(record), end), byteLength)
      this.#planLimit = Math.min(PLAN_BLOCKS, this.#planLimit * 2)
    }
    return this.#isComplete
  }

  async #findRange(search: JournalSearch): Promise<Range> {
    const { from, until, live } = this.#context
    const begin = await search.positionOf(from)
    const isOpen = until === null || isTime(until)
    return {
      begin,
      endPosition: isOpen ? Number.POSITIVE_INFINITY : await search.positionOf(until),
      endTime: isTime(until) ? until.time : Number.POSITIVE_INFINITY,
      endBlock: live && !isFixed(until) ? Number.POSITIVE_INFINITY : this.#journal.length
    }
  }

  /** Reads the records from block `start` on, in order, and requests the blocks that each one names. */
  async *#plan(start: number, range: Range): AsyncGenerator<Planned, void, undefined> {
    const checkSuccession = createSuccession({ fromStart: start === 1 })
    for (let index = start; index < range.endBlock; index++) {
      const block = await this.#nextJournalBlock(index, range.endBlock)
      const record = decodeRecord(block, index, this.#log.manifest)
      namingBlock(index, () => checkSuccession(record))
      this.#isComplete = record.seq >= range.endPosition || record.time >= range.endTime
      if (this.#isComplete) return
      this.#context.onRecord?.(record)
      const planned = { record, blocks: this.#request(record, range.begin) }
      // without waiting for the next record, which may not exist yet
      this.#isComplete = endOfRecord(record) >= range.endPosition
      yield planned
      if (this.#isComplete) return
    }
  }

  #nextJournalBlock(index: number, end: number): Promise<Uint8Array> {
    const journal = this.#journal
    const exists = index < journal.length
    // one more than exists, so that the next record arrives without a round trip
    const last = Math.min(end, journal.length + 1, index + Math.min(JOURNAL_AHEAD, this.#planLimit))
    for (let ahead = index; ahead < last; ahead++) journal.prefetch(ahead)
    if (exists) return awaitBlock(journal.get(index), journal, index, this.#context)
    for (const [core, next] of this.#next) this.#blocks(core).prefetch(next)
    return journal.get(index)
  }

  #request(record: JournalRecord, begin: number): PlannedBlock[] {
    const planned: PlannedBlock[] = []
    const hasLines = coresFrom(record, begin)
    for (const [core, length, count] of record.at) {
      if (!this.#context.wants(core) || !hasLines(core)) continue
      const blocks = this.#blocks(core)
      for (let index = length; index < length + count; index++) {
        planned.push({ core, index, bytes: this.#window.request(blocks, index) })
      }
      this.#next.delete(core)
      this.#next.set(core, length + count)
    }
    for (const core of this.#next.keys()) {
      if (this.#next.size <= NEXT_CORES) break
      this.#next.delete(core)
    }
    return planned
  }

  async #collect(
    { seq }: JournalRecord,
    planned: readonly PlannedBlock[]
  ): Promise<{ byCore: Map<number, Uint8Array[]>; byteLength: number }> {
    const byCore = new Map<number, Uint8Array[]>()
    let byteLength = 0
    for (const { core, index, bytes } of planned) {
      const block = await awaitBlock(bytes, this.#blocks(core), index, this.#context)
      // at once: a batch may be larger than the window
      this.#window.release(block.byteLength)
      byteLength += block.byteLength
      if (byteLength > MAX_BATCH_BYTES)
        throw new ProtocolError(
          'BAD_RECORD',
          `the batch at position ${seq} has more than ${MAX_BATCH_BYTES} bytes`
        )
      const own = byCore.get(core)
      if (own === undefined) byCore.set(core, [block])
      else own.push(block)
    }
    return { byCore, byteLength }
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(
      [this.#journal, ...this.#cores.values()].map((blocks) => blocks.close())
    ).then(ignore)
    return this.#closing
  }

  #blocks(core: number): Blocks {
    const open = this.#cores.get(core)
    if (open !== undefined) return open
    // the plan may run on for a moment after `close`, which would not close these blocks
    if (this.#closing !== null) throw new NodeError('CLOSED', 'the iteration has ended')
    const blocks = new Blocks(this.#log.manifest.cores[core]?.name ?? '', this.#log.openCore(core))
    this.#cores.set(core, blocks)
    return blocks
  }
}

function isTime(bound: OrderedBound | null): bound is { readonly time: number } {
  return typeof bound === 'object' && bound !== null
}

/** Whether no line published from now on can be before the bound. */
function isFixed(until: OrderedBound | null): boolean {
  if (isTime(until)) return until.time <= Date.now()
  return until === 'end' || (until !== null && until < 0)
}

/** Whether a core of the record has lines at `begin` or later: the blocks of others are not needed. */
function coresFrom({ seq, order }: JournalRecord, begin: number): (core: number) => boolean {
  if (seq >= begin) return () => true
  const cores = new Set<number>()
  let position = seq
  for (let run = 0; run < order.length; run += 2) {
    position += order[run + 1] as number
    if (position > begin) cores.add(order[run] as number)
  }
  return (core) => cores.has(core)
}
