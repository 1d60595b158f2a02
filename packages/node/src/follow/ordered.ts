import {
  createRouter,
  createSuccession,
  decodeJournalRecord,
  type JournalRecord,
  type LogManifest
} from '@many-cores/protocol'
import type { Batch } from '../batch.ts'
import { assemble } from './assemble.ts'
import { awaitBlock, Blocks, endOf, type Patience } from './blocks.ts'
import type { ReadableLog } from './log.ts'
import { merge } from './merge.ts'
import { endPosition, type Journal, seek } from './seek.ts'
import { Window } from './window.ts'

/** Records whose blocks are planned ahead of the consumer, counted in blocks. */
const PLAN_BLOCKS = 512

/** Journal records that are asked for ahead: one round trip to a distant peer covers so many small batches. */
const JOURNAL_AHEAD = 64

/** At the end of the log, the next block of so many cores, the last ones written to, is asked for before it exists. */
const EXPECTED_CORES = 8

export interface FollowContext extends Patience {
  readonly signal: AbortSignal
  /** Where to begin: a position, negative from the end, or the end. */
  readonly from: number | 'end'
  /** Go on for ever, or end with what was there at the beginning. */
  readonly live: boolean
  /** Whether the lines of this data core are wanted. */
  readonly wants: (core: number) => boolean
}

/**
 * Follows a log by its journal: every line once, in the order it was written, history first and then live. Blocks are asked
 * for in that order, a bounded number of bytes ahead. What the journal says of itself and of the blocks is checked.
 */
export async function* followOrdered(
  log: ReadableLog<LogManifest>,
  context: FollowContext
): AsyncGenerator<Batch, void, undefined> {
  const follower = new Follower(log, context)
  const stop = (): void => void follower.close()
  context.signal.addEventListener('abort', stop, { once: true })
  try {
    yield* follower.batches()
  } catch (error) {
    endOf(error, context.signal)
  } finally {
    context.signal.removeEventListener('abort', stop)
    await follower.close()
  }
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
  #closing: Promise<void> | null = null

  constructor(log: ReadableLog<LogManifest>, context: FollowContext) {
    this.#log = log
    this.#context = context
    this.#journal = new Blocks('bootstrap', log.bootstrap)
  }

  async *batches(): AsyncGenerator<Batch, void, undefined> {
    const { manifest } = this.#log
    const { live } = this.#context
    await this.#journal.ready()
    const end = live ? Number.POSITIVE_INFINITY : this.#journal.length
    const journal = { blocks: this.#journal, manifest, patience: this.#context }
    const begin = await this.#begin(journal)
    const plan = merge([this.#plan(await seek(journal, begin), end)], {
      weight: ({ blocks }) => blocks.length + 1,
      limit: PLAN_BLOCKS
    })
    const route = createRouter(manifest.routing)
    for await (const { record, blocks } of plan) {
      const collected = await this.#collect(blocks)
      const batch = behind(assemble(record, collected.byCore, { manifest, route }), record, begin)
      if (batch !== null) yield batch
      this.#window.release(collected.bytes)
    }
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(
      [this.#journal, ...this.#cores.values()].map((blocks) => blocks.close())
    ).then(ignore)
    return this.#closing
  }

  async #begin(journal: Journal): Promise<number> {
    const { from } = this.#context
    if (from === 'end') return await endPosition(journal)
    return from < 0 ? Math.max(0, (await endPosition(journal)) + from) : from
  }

  /** The records from block `start` on, in order; the blocks of each are asked for as soon as it is known. */
  async *#plan(start: number, end: number): AsyncGenerator<Planned, void, undefined> {
    const { cores, framing } = this.#log.manifest
    const checkSuccession = createSuccession()
    for (let index = start; index < end; index++) {
      const record = decodeJournalRecord(await this.#nextBlock(index, end), { cores: cores.length, framing })
      checkSuccession(record)
      yield { record, blocks: this.#expect(record) }
    }
  }

  #nextBlock(index: number, end: number): Promise<Uint8Array> {
    const journal = this.#journal
    const isThere = index < journal.length
    // one more than exists, so that the next record comes without a round trip
    const last = Math.min(end, journal.length + 1, index + JOURNAL_AHEAD)
    for (let ahead = index; ahead < last; ahead++) journal.ask(ahead)
    if (isThere) return awaitBlock(journal.take(index), journal.name, index, this.#context)
    for (const [core, next] of this.#expected) this.#blocks(core).ask(next)
    return journal.take(index)
  }

  #expect({ at }: JournalRecord): PlannedBlock[] {
    const planned: PlannedBlock[] = []
    for (const [core, length, count] of at) {
      if (!this.#context.wants(core)) continue
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
    blocks: readonly PlannedBlock[]
  ): Promise<{ byCore: Map<number, Uint8Array[]>; bytes: number }> {
    const byCore = new Map<number, Uint8Array[]>()
    let bytes = 0
    for (const { core, index, bytes: coming } of blocks) {
      const block = await awaitBlock(coming, this.#blocks(core).name, index, this.#context)
      bytes += block.byteLength
      const own = byCore.get(core)
      if (own === undefined) byCore.set(core, [block])
      else own.push(block)
    }
    return { byCore, bytes }
  }

  #blocks(core: number): Blocks {
    const open = this.#cores.get(core)
    if (open !== undefined) return open
    const blocks = new Blocks(this.#log.manifest.cores[core]?.name ?? '', this.#log.openCore(core))
    this.#cores.set(core, blocks)
    return blocks
  }
}

/** The batch without the lines before `position`; null if none is left. */
function behind(batch: Batch | null, record: JournalRecord, position: number): Batch | null {
  if (batch === null || record.seq >= position) return batch
  let first = 0
  for (const entry of batch) {
    if ((entry.position as number) >= position) return batch.slice(first)
    first++
  }
  return null
}

function ignore(): void {}
