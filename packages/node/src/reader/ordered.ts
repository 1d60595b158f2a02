import {
  createRouter,
  createSuccession,
  endOfRecord,
  type JournalRecord,
  type LogManifest,
  MAX_BATCH_BYTES,
  ProtocolError
} from '@many-cores/protocol'
import { ignore, NodeError } from '../errors.ts'
import { KnownRecords } from '../journal/plausible.ts'
import { decodeRecord, naming } from '../journal/record.ts'
import { assemble } from './assemble.ts'
import type { Batch } from './batch.ts'
import { awaitBlock, Blocks, endOf, type Patience } from './blocks.ts'
import type { OrderedBound } from './bound.ts'
import { merge } from './merge.ts'
import type { Progress } from './progress.ts'
import type { ReadableLog } from './readable-log.ts'
import { type Journal, positionOf, seek } from './seek.ts'
import { Window } from './window.ts'

/** Records whose blocks are planned ahead of the consumer, counted in blocks. */
const PLAN_BLOCKS = 512

/** Journal records that are asked for ahead: one round trip to a distant peer covers so many small batches. */
const JOURNAL_AHEAD = 64

/** What may be planned before anything was delivered; doubles with each batch, so that a few lines cost a few blocks. */
const FIRST_PLAN_BLOCKS = 8

/** At the end of the log, the next block of so many cores, the last ones written to, is asked for before it exists. */
const EXPECTED_CORES = 8

export interface FollowContext extends Patience {
  readonly signal: AbortSignal
  /** Where to begin. */
  readonly from: OrderedBound
  /** Before which line to end, if it is ever reached. */
  readonly until: OrderedBound | null
  /** Go on for ever, or end with what was there at the beginning. */
  readonly live: boolean
  /** Whether the lines of this data core are wanted. */
  readonly wants: (core: number) => boolean
  /** Hears of each journal record, checked, in order. */
  readonly onRecord?: (record: JournalRecord) => void
  /** Is told how far the consumer has come. */
  readonly progress?: Progress
}

/**
 * Follows a log by its journal: every line once, in the order it was written, history first and then live. Blocks are asked
 * for in that order, a bounded number of bytes ahead. What the journal says of itself and of the blocks is checked.
 *
 * Returns whether it came to `until`; false where it ended because there was no more.
 */
export async function* followOrdered(
  log: ReadableLog<LogManifest>,
  context: FollowContext
): AsyncGenerator<Batch, boolean, undefined> {
  if (context.signal.aborted) return false
  const follower = new Follower(log, context)
  const stop = (): void => void follower.close()
  context.signal.addEventListener('abort', stop, { once: true })
  try {
    return yield* follower.batches()
  } catch (error) {
    endOf(error, context.signal)
    return false
  } finally {
    context.signal.removeEventListener('abort', stop)
    await follower.close()
  }
}

/** Where a follower ends: at whichever comes first. */
interface End {
  /** Of the journal's blocks. */
  readonly block: number
  readonly position: number
  readonly time: number
}

/** A record, and the blocks that were asked for because of it. */
interface Planned {
  readonly record: JournalRecord
  readonly blocks: readonly PlannedBlock[]
}

interface PlannedBlock {
  readonly core: number
  readonly index: number
  readonly bytes: Promise<Uint8Array>
}

class Follower {
  readonly #log: ReadableLog<LogManifest>
  readonly #context: FollowContext
  readonly #journal: Blocks
  readonly #window = new Window()
  readonly #cores = new Map<number, Blocks>()
  /** The last cores written to, with the index of the block that comes next in each; the latest last. */
  readonly #expected = new Map<number, number>()
  #ahead = FIRST_PLAN_BLOCKS
  #isComplete = false
  #closing: Promise<void> | null = null

  constructor(log: ReadableLog<LogManifest>, context: FollowContext) {
    this.#log = log
    this.#context = context
    this.#journal = new Blocks('bootstrap', log.bootstrap)
  }

  async *batches(): AsyncGenerator<Batch, boolean, undefined> {
    const { manifest } = this.#log
    await this.#journal.ready()
    const journal = { blocks: this.#journal, manifest, patience: this.#context, known: new KnownRecords() }
    const begin = await positionOf(journal, this.#context.from)
    const end = await this.#end(journal)
    if (begin >= end.position) return true
    this.#context.progress?.reach(begin, 0)
    const plan = merge([this.#plan(await seek(journal, begin), begin, end)], {
      weight: ({ blocks }) => blocks.length + 1,
      limit: () => this.#ahead
    })
    const route = createRouter(manifest.routing)
    for await (const { record, blocks } of plan) {
      const collected = await this.#collect(record, blocks)
      const batch = clip(assemble(record, collected.byCore, { manifest, route }), record, begin, end.position)
      if (batch !== null) yield batch
      this.#context.progress?.reach(Math.min(endOfRecord(record), end.position), collected.bytes)
      this.#ahead = Math.min(PLAN_BLOCKS, this.#ahead * 2)
    }
    return this.#isComplete
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(
      [this.#journal, ...this.#cores.values()].map((blocks) => blocks.close())
    ).then(ignore)
    return this.#closing
  }

  async #end(journal: Journal): Promise<End> {
    const { live, until } = this.#context
    const position =
      until === null || isTime(until) ? Number.POSITIVE_INFINITY : await positionOf(journal, until)
    const time = isTime(until) ? until.time : Number.POSITIVE_INFINITY
    const block = live && !isFixed(until) ? Number.POSITIVE_INFINITY : journal.blocks.length
    return { block, position, time }
  }

  /** The records from block `start` on, in order; the blocks of each are asked for as soon as it is known. */
  async *#plan(start: number, begin: number, end: End): AsyncGenerator<Planned, void, undefined> {
    const checkSuccession = createSuccession({ fromStart: start === 1 })
    for (let index = start; index < end.block; index++) {
      const record = decodeRecord(await this.#nextBlock(index, end.block), index, this.#log.manifest)
      naming(index, () => checkSuccession(record))
      this.#isComplete = record.seq >= end.position || record.time >= end.time
      if (this.#isComplete) return
      this.#context.onRecord?.(record)
      const planned = { record, blocks: this.#expect(record, begin) }
      // known before the next record is: a bound that lies at the end of the log is not waited behind
      this.#isComplete = endOfRecord(record) >= end.position
      yield planned
      if (this.#isComplete) return
    }
  }

  #nextBlock(index: number, end: number): Promise<Uint8Array> {
    const journal = this.#journal
    const isThere = index < journal.length
    // one more than exists, so that the next record comes without a round trip
    const last = Math.min(end, journal.length + 1, index + Math.min(JOURNAL_AHEAD, this.#ahead))
    for (let ahead = index; ahead < last; ahead++) journal.ask(ahead)
    if (isThere) return awaitBlock(journal.take(index), journal.name, index, this.#context)
    for (const [core, next] of this.#expected) this.#blocks(core).ask(next)
    return journal.take(index)
  }

  #expect(record: JournalRecord, begin: number): PlannedBlock[] {
    const planned: PlannedBlock[] = []
    const isNeeded = record.seq < begin ? coresFrom(record, begin) : undefined
    for (const [core, length, count] of record.at) {
      if (!this.#context.wants(core) || isNeeded?.(core) === false) continue
      const blocks = this.#blocks(core)
      for (let index = length; index < length + count; index++) {
        planned.push({ core, index, bytes: this.#window.expect(blocks, index) })
      }
      this.#expected.delete(core)
      this.#expected.set(core, length + count)
    }
    for (const core of this.#expected.keys()) {
      if (this.#expected.size <= EXPECTED_CORES) break
      this.#expected.delete(core)
    }
    return planned
  }

  async #collect(
    record: JournalRecord,
    blocks: readonly PlannedBlock[]
  ): Promise<{ byCore: Map<number, Uint8Array[]>; bytes: number }> {
    const byCore = new Map<number, Uint8Array[]>()
    let bytes = 0
    for (const { core, index, bytes: coming } of blocks) {
      const block = await awaitBlock(coming, this.#blocks(core).name, index, this.#context)
      // at once: a batch may be larger than the window
      this.#window.release(block.byteLength)
      bytes += block.byteLength
      if (bytes > MAX_BATCH_BYTES) throw tooLarge(record)
      const own = byCore.get(core)
      if (own === undefined) byCore.set(core, [block])
      else own.push(block)
    }
    return { byCore, bytes }
  }

  #blocks(core: number): Blocks {
    const open = this.#cores.get(core)
    if (open !== undefined) return open
    // the plan may run on for a moment: nothing would close what it opens now
    if (this.#closing !== null) throw new NodeError('CLOSED', 'the iteration has ended')
    const blocks = new Blocks(this.#log.manifest.cores[core]?.name ?? '', this.#log.openCore(core))
    this.#cores.set(core, blocks)
    return blocks
  }
}

function tooLarge({ seq }: JournalRecord): ProtocolError {
  return new ProtocolError(
    'BAD_RECORD',
    `the batch at position ${seq} has more than ${MAX_BATCH_BYTES} bytes`
  )
}

function isTime(bound: OrderedBound | null): bound is { readonly time: number } {
  return typeof bound === 'object' && bound !== null
}

/** Whether nothing that is published from now on can lie before the bound. */
function isFixed(until: OrderedBound | null): boolean {
  if (isTime(until)) return until.time <= Date.now()
  return until === 'end' || (until !== null && until < 0)
}

/** Which cores have lines at `begin` or later in the record's batch: a core that has none need not be downloaded. */
function coresFrom({ seq, order }: JournalRecord, begin: number): (core: number) => boolean {
  const cores = new Set<number>()
  let position = seq
  for (let run = 0; run < order.length; run += 2) {
    position += order[run + 1] as number
    if (position > begin) cores.add(order[run] as number)
  }
  return (core) => cores.has(core)
}

/** The batch without the lines before `begin` and those from `end` on; null if none is left. */
function clip(batch: Batch | null, record: JournalRecord, begin: number, end: number): Batch | null {
  if (batch === null || (record.seq >= begin && endOfRecord(record) <= end)) return batch
  let first = 0
  let stop = 0
  for (const { position } of batch) {
    if ((position as number) < begin) first++
    if ((position as number) >= end) break
    stop++
  }
  return first < stop ? batch.slice(first, stop) : null
}
