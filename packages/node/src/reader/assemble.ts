import {
  type CoreExtent,
  checkBlock,
  type DataCore,
  type JournalRecord,
  type LogManifest,
  lineCount,
  lineEnds,
  ProtocolError,
  type Router
} from '@many-cores/protocol'
import b4a from 'b4a'
import type { Batch, Entry, Position } from './batch.ts'

export interface AssemblyContext {
  readonly manifest: LogManifest
  readonly route: Router
  /** The positions wanted: lines before `begin`, and from `end` on, are checked and left out. */
  readonly begin: number
  readonly end: number
}

/**
 * Puts the lines of a batch into their order, from `blocks`: what it adds to all its cores or to some, by core index. Null
 * if no line is wanted.
 *
 * @throws ProtocolError `BAD_BLOCK` if the blocks of a core do not hold the lines that the record counts; `MISROUTED` for a
 * line in another core than the routing rule names.
 */
export function assemble(
  record: JournalRecord,
  blocks: ReadonlyMap<number, readonly Uint8Array[]>,
  { manifest, route, begin, end }: AssemblyContext
): Batch | null {
  const table = new LineTable(record, manifest, end)
  const parts = new Map<number, Part>()
  for (const extent of record.at) {
    const own = blocks.get(extent[0])
    if (own !== undefined) parts.set(extent[0], new Part(extent, own, table))
  }
  let position = record.seq
  for (let run = 0; run < record.order.length; run += 2) {
    const core = record.order[run] as number
    const stop = position + (record.order[run + 1] as number)
    const part = parts.get(core)
    for (; part !== undefined && position < stop; position++) {
      part.next()
      if (route(part.bytes, position, part.start, part.stop) !== core) throw part.misrouted(position)
      if (position >= begin && position < end) table.add(part, position)
    }
    position = stop
  }
  for (const part of parts.values()) part.finish()
  return table.count === 0 ? null : new OrderedBatch(table, 0, table.count)
}

/** A block that holds lines of the batch. */
interface BatchBlock {
  readonly bytes: Uint8Array
  readonly core: DataCore
  readonly index: number
}

/** One core's lines of a batch, one after the other. The current one is `bytes[start, stop)`. */
class Part {
  bytes: Uint8Array = EMPTY
  start = 0
  stop = 0
  /** The index of the current block in the table. */
  slot = -1
  readonly #core: DataCore
  readonly #length: number
  readonly #blocks: readonly Uint8Array[]
  readonly #table: LineTable
  #ends: readonly number[] = []
  #block = 0
  #line = 0

  constructor([core, length]: CoreExtent, blocks: readonly Uint8Array[], table: LineTable) {
    this.#core = table.manifest.cores[core] as DataCore
    this.#length = length
    this.#blocks = blocks
    this.#table = table
  }

  next(): void {
    if (this.#line === this.#ends.length) this.#nextBlock()
    this.start = this.stop
    this.stop = this.#ends[this.#line++] as number
  }

  /** Checks that no lines remain. */
  finish(): void {
    if (this.#line < this.#ends.length || this.#block < this.#blocks.length) throw this.#miscounted('more')
  }

  #nextBlock(): void {
    const bytes = this.#blocks[this.#block]
    if (bytes === undefined) throw this.#miscounted('fewer')
    const { framing } = this.#table.manifest
    checkBlock(bytes, framing)
    this.#ends = lineEnds(bytes, framing)
    this.#line = 0
    this.bytes = bytes
    this.stop = 0
    this.slot = this.#table.blocks.push({ bytes, core: this.#core, index: this.#length + this.#block++ }) - 1
  }

  #miscounted(amount: 'more' | 'fewer'): ProtocolError {
    return new ProtocolError(
      'BAD_BLOCK',
      `core ${this.#core.name} has ${amount} lines up to its block ${this.#index} than the journal counts in the batch at position ${this.#table.record.seq}`
    )
  }

  misrouted(position: number): ProtocolError {
    return new ProtocolError(
      'MISROUTED',
      `the line at position ${position} is in block ${this.#index} of core ${this.#core.name}, but the routing rule names another core`
    )
  }

  get #index(): number {
    return this.#length + this.#block - 1
  }
}

// Columns, not objects: a batch may have 65,536 lines, and most readers only want their bytes.
class LineTable {
  readonly record: JournalRecord
  readonly manifest: LogManifest
  /** The position after the wanted lines, and after unwanted ones that follow the last of them. */
  readonly end: number
  readonly blocks: BatchBlock[] = []
  /** Per line: the index of its block in `blocks`, where it starts and stops there, and its offset from `record.seq`. */
  readonly slot: Uint32Array
  readonly start: Uint32Array
  readonly stop: Uint32Array
  readonly offset: Uint32Array
  count = 0

  constructor(record: JournalRecord, manifest: LogManifest, end: number) {
    const capacity = lineCount(record)
    this.record = record
    this.manifest = manifest
    this.end = Math.min(record.seq + capacity, end)
    this.slot = new Uint32Array(capacity)
    this.start = new Uint32Array(capacity)
    this.stop = new Uint32Array(capacity)
    this.offset = new Uint32Array(capacity)
  }

  add(part: Part, position: number): void {
    const line = this.count++
    this.slot[line] = part.slot
    this.start[line] = part.start
    this.stop[line] = part.stop
    this.offset[line] = position - this.record.seq
  }

  positionOf(line: number): number {
    return line === this.count ? this.end : this.record.seq + (this.offset[line] as number)
  }
}

/** Lines `low` to `high` (exclusive) of the table. */
class OrderedBatch implements Batch {
  readonly count: number
  readonly position: number
  readonly time: number
  readonly next: Position
  readonly #table: LineTable
  readonly #low: number
  readonly #high: number

  constructor(table: LineTable, low: number, high: number) {
    this.#table = table
    this.#low = low
    this.#high = high
    this.count = high - low
    this.position = table.positionOf(low)
    this.next = table.positionOf(high)
    this.time = table.record.time
  }

  get byteLength(): number {
    const { start, stop } = this.#table
    let total = 0
    for (let line = this.#low; line < this.#high; line++)
      total += (stop[line] as number) - (start[line] as number)
    return total
  }

  bytes(): Uint8Array {
    const { slot, start, stop, blocks } = this.#table
    const total = this.byteLength
    let out: Uint8Array | null = null
    let at = 0
    for (let line = this.#low; line < this.#high; ) {
      const own = slot[line]
      const from = start[line]
      let to = stop[line++]
      // adjacent lines are copied as one piece, which is returned without a copy if there are no others
      while (line < this.#high && slot[line] === own && start[line] === to) to = stop[line++]
      const piece = (blocks[own as number] as BatchBlock).bytes.subarray(from, to)
      if (piece.byteLength === total) return piece
      out ??= b4a.allocUnsafeSlow(total)
      out.set(piece, at)
      at += piece.byteLength
    }
    return out ?? EMPTY
  }

  slice(from: number, to: number = this.count): Batch {
    if (from === 0 && to >= this.count) return this
    return new OrderedBatch(this.#table, this.#low + from, Math.min(this.#high, this.#low + to))
  }

  *[Symbol.iterator](): Iterator<Entry> {
    const { slot, start, stop, blocks } = this.#table
    for (let line = this.#low; line < this.#high; line++) {
      const { bytes, core, index } = blocks[slot[line] as number] as BatchBlock
      yield {
        position: this.#table.positionOf(line),
        line: bytes.subarray(start[line], stop[line]),
        core: core.name,
        key: core.key,
        index,
        time: this.time
      }
    }
  }
}

const EMPTY = new Uint8Array(0)
