import {
  createRouter,
  createSuccession,
  endOfRecord,
  isLostBlock,
  type JournalRecord,
  type LogManifest
} from '@many-cores/protocol'
import type { Batch } from '../batch.ts'
import type { OrderedBound } from '../bound.ts'
import { NodeError } from '../errors.ts'
import { assemble } from './assemble.ts'
import { awaitBlock, Blocks, endOf, type Patience } from './blocks.ts'
import type { ReadableLog } from './log.ts'
import { Losses } from './losses.ts'
import { merge } from './merge.ts'
import { KnownRecords } from './plausible.ts'
import type { Progress } from './progress.ts'
import { decodeRecord, naming } from './record.ts'
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

/** A journal that has grown is looked at this often for what it says of losses; in between they cost a wait, nothing else. */
const LOOK_INTERVAL_MS = 250

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
  /** Hears of each journal record of which something is wanted, checked, in order. */
  readonly onRecord?: (record: JournalRecord) => void
  /** Is told how far the consumer has come. */
  readonly progress?: Progress
}

/**
 * Follows a log by its journal: every line once, in the order it was written, history first and then live. Blocks are asked
 * for in that order, a bounded number of bytes ahead. What the journal says of itself and of the blocks is checked. Lines
 * that the journal says are lost are passed over, whether they can still be had or not.
 *
 * Returns whether it came to `until`; false where it ended because there was no more.
 */
export async function* followOrdered(
  log: ReadableLog<LogManifest>,
  context: FollowContext
): AsyncGenerator<Batch, boolean, undefined> {
  const { signal } = context
  const losses = new Losses()
  let span: Span | null = null
  while (true) {
    const follower: Follower = new Follower(log, context, { losses, span })
    const stop = (): void => void follower.close()
    signal.addEventListener('abort', stop, { once: true })
    try {
      const isComplete = yield* follower.batches()
      if (!follower.isOvertaken || signal.aborted) return isComplete
    } catch (error) {
      if (!follower.isOvertaken || signal.aborted) {
        endOf(error, signal)
        return false
      }
    } finally {
      signal.removeEventListener('abort', stop)
      await follower.close()
    }
    // another one goes on from there: what this one has asked for may never come
    span = follower.span
  }
}

/** What is left to be followed. */
interface Span {
  readonly begin: number
  readonly end: End
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
  /** The journal's block. */
  readonly index: number
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
  readonly #losses: Losses
  /** Rejects when it is closed, so that nobody waits for what cannot come. */
  readonly #closed: Promise<never>
  #reject: (error: Error) => void = ignore
  #ahead = FIRST_PLAN_BLOCKS
  #isComplete = false
  #span: Span | null
  /** The journal's block whose lines are being delivered. */
  #index = 0
  #looking: NodeJS.Timeout | undefined
  #closing: Promise<void> | null = null
  /** Some of what it was about to deliver turned out to be lost: it is closed, and another one has to go on. */
  isOvertaken = false

  constructor(
    log: ReadableLog<LogManifest>,
    context: FollowContext,
    { losses, span }: { readonly losses: Losses; readonly span: Span | null }
  ) {
    this.#log = log
    this.#context = context
    this.#journal = new Blocks('bootstrap', log.bootstrap)
    this.#losses = losses
    this.#span = span
    this.#closed = new Promise((_resolve, reject) => {
      this.#reject = reject
    })
    this.#closed.catch(ignore)
  }

  /** What is left; null as long as that is not known. */
  get span(): Span | null {
    return this.#span
  }

  async *batches(): AsyncGenerator<Batch, boolean, undefined> {
    const { manifest } = this.#log
    await this.#journal.ready()
    const losses = this.#losses
    // the follower says what is wrong with a record when it comes to it
    await losses.look(this.#journal, manifest).catch(ignore)
    const known = new KnownRecords()
    const journal = { blocks: this.#journal, losses, manifest, patience: this.#context, known }
    this.#watchLosses()
    this.#span ??= {
      begin: await positionOf(journal, this.#context.from),
      end: await this.#end(journal)
    }
    const { begin, end } = this.#span
    if (begin >= end.position) return true
    this.#context.progress?.reach(begin, 0)
    this.#index = await seek(journal, begin)
    const plan = merge([this.#plan(this.#index, begin, end)], {
      weight: ({ blocks }) => blocks.length + 1,
      limit: () => this.#ahead
    })
    const route = createRouter(manifest.routing)
    for await (const { index, record, blocks } of plan) {
      this.#index = index
      const collected = await this.#collect(blocks)
      if (this.isOvertaken) return false
      this.#tell(record, begin, end)
      const batch = clip(assemble(record, collected.byCore, { manifest, route }), record, begin, end.position)
      if (batch !== null) yield batch
      const reached = Math.max(begin, Math.min(endOfRecord(record), end.position))
      this.#span = { begin: reached, end }
      this.#context.progress?.reach(reached, collected.bytes)
      this.#window.release(collected.bytes)
      this.#ahead = Math.min(PLAN_BLOCKS, this.#ahead * 2)
    }
    return this.#isComplete
  }

  close(): Promise<void> {
    clearInterval(this.#looking)
    this.#reject(new NodeError('CLOSED', 'it was closed meanwhile'))
    this.#closing ??= Promise.all(
      [this.#journal, ...this.#cores.values()].map((blocks) => blocks.close())
    ).then(ignore)
    return this.#closing
  }

  #tell(record: JournalRecord, begin: number, end: End): void {
    const before = Math.max(begin, this.#span?.begin ?? 0)
    // behind such a one is the next record, of which this one began in the midst
    if (record.lost === undefined && endOfRecord(record) <= begin) return
    this.#context.onRecord?.(record)
    const lines = record.lost === undefined ? 0 : Math.min(record.seq, end.position) - before
    if (lines > 0) this.#context.onStatus({ state: 'lost', position: before, lines })
  }

  /** Learns of losses as the journal grows: what it waits for may be among them. */
  #watchLosses(): void {
    let isLooking = false
    const look = async (): Promise<void> => {
      if (isLooking || this.#closing !== null) return
      isLooking = true
      try {
        if ((await this.#losses.look(this.#journal, this.#log.manifest)) === true) this.#yieldTo()
      } catch {
        // what is wrong with a record is said when it is come to
      } finally {
        isLooking = false
      }
    }
    this.#looking = setInterval(() => void look(), LOOK_INTERVAL_MS).unref()
  }

  /** Ends for another one where a loss concerns what is not delivered yet. */
  #yieldTo(): void {
    if (this.#closing !== null || !this.#losses.concern(this.#index)) return
    this.isOvertaken = true
    this.close().catch(ignore)
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
    const losses = this.#losses
    for (let index = losses.skip(start); index < end.block; index = losses.skip(index + 1)) {
      const record = decodeRecord(await this.#nextBlock(index, end.block), index, this.#log.manifest)
      if (losses.take(record)) this.#yieldTo()
      if (this.isOvertaken) return
      naming(index, () => checkSuccession(record))
      this.#isComplete = record.seq >= end.position || record.time >= end.time
      if (this.#isComplete) return
      const planned = { index, record, blocks: this.#expect(record, begin) }
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
    this.#journal.fetch(...(record.lost?.at(-1) ?? NO_RANGE))
    const isNeeded = record.seq < begin ? coresFrom(record, begin) : undefined
    for (const [core, length, count] of record.at) {
      if (!this.#context.wants(core) || isNeeded?.(core) === false) continue
      const blocks = this.#blocks(core)
      // nobody reads these, but who has no gap is known to hold everything
      if (record.lost !== undefined) blocks.fetch(length, length + count)
      else
        for (let index = length; index < length + count; index++)
          planned.push({ core, index, bytes: this.#window.expect(blocks, index) })
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
    blocks: readonly PlannedBlock[]
  ): Promise<{ byCore: Map<number, Uint8Array[]>; bytes: number }> {
    const byCore = new Map<number, Uint8Array[]>()
    let bytes = 0
    for (const { core, index, bytes: coming } of blocks) {
      const block = await awaitBlock(this.#unlessLost(coming), this.#blocks(core).name, index, this.#context)
      bytes += block.byteLength
      const own = byCore.get(core)
      if (own === undefined) byCore.set(core, [block])
      else own.push(block)
    }
    return { byCore, bytes }
  }

  /**
   * The block; what stands where one was lost is none, and its batch is given up: the journal says so, soon if not yet. With
   * some of the cores only, lines of such a batch may be delivered before that: nothing in those cores tells.
   */
  async #unlessLost(coming: Promise<Uint8Array>): Promise<Uint8Array> {
    const block = await coming
    return isLostBlock(block) ? await this.#closed : block
  }

  #blocks(core: number): Blocks {
    const open = this.#cores.get(core)
    if (open !== undefined) return open
    const blocks = new Blocks(this.#log.manifest.cores[core]?.name ?? '', this.#log.openCore(core))
    this.#cores.set(core, blocks)
    return blocks
  }
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

const NO_RANGE = [0, 0] as const

function ignore(): void {}
