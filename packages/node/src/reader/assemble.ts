import {
  type CoreExtent,
  type CoreKey,
  checkBlock,
  type JournalRecord,
  type LogManifest,
  lineCount,
  lineEnds,
  ProtocolError,
  type Router
} from '@many-cores/protocol'
import b4a from 'b4a'
import type { Batch, Entry, Position } from './batch.ts'

/** The blocks that a batch adds to each core that a reader wants, by core index. */
export type BatchBlocks = ReadonlyMap<number, readonly Uint8Array[]>

/** What a reader knows of a log, for putting its batches together. */
export interface AssemblyContext {
  readonly manifest: LogManifest
  readonly route: Router
}

/**
 * Puts a batch's lines into their order, from the blocks of all its cores or of some.
 *
 * @throws ProtocolError `BAD_BLOCK` where the blocks of a core do not hold the lines that the record counts; `MISROUTED`
 * where the routing rule puts a line elsewhere.
 */
export function assemble(
  record: JournalRecord,
  blocks: BatchBlocks,
  { manifest, route }: AssemblyContext
): Batch | null {
  const parts = new Map<number, Part>()
  for (const extent of record.at) {
    const own = blocks.get(extent[0])
    if (own !== undefined) parts.set(extent[0], new Part(extent, record.seq, own, manifest))
  }
  const table = new LineTable(lineCount(record))
  let position = record.seq
  for (let run = 0; run < record.order.length; run += 2) {
    const core = record.order[run] as number
    const count = record.order[run + 1] as number
    const part = parts.get(core)
    if (part === undefined) position += count
    else
      for (const stop = position + count; position < stop; position++)
        table.add(position - record.seq, part, route, position)
  }
  for (const part of parts.values()) part.end()
  return table.count === 0 ? null : new OrderedBatch(record, manifest, table, 0, table.count)
}

/** One core's lines of a batch, taken one after the other. */
class Part {
  readonly core: number
  readonly name: string
  readonly #seq: number
  readonly #length: number
  readonly #blocks: readonly Uint8Array[]
  readonly #manifest: LogManifest
  block: Uint8Array = EMPTY
  start = 0
  stop = 0
  #ends: readonly number[] = []
  #block = 0
  #line = 0

  constructor([core, length]: CoreExtent, seq: number, blocks: readonly Uint8Array[], manifest: LogManifest) {
    this.core = core
    this.name = manifest.cores[core]?.name ?? ''
    this.#seq = seq
    this.#length = length
    this.#blocks = blocks
    this.#manifest = manifest
  }

  /** The index in its core of the block that holds the line. */
  get index(): number {
    return this.#length + this.#block - 1
  }

  /** Goes to the next line: `block[start, stop)`. */
  next(): void {
    if (this.#line === this.#ends.length) this.#nextBlock()
    this.start = this.stop
    this.stop = this.#ends[this.#line++] as number
  }

  end(): void {
    if (this.#line < this.#ends.length || this.#block < this.#blocks.length) throw this.#fault('more')
  }

  #nextBlock(): void {
    const block = this.#blocks[this.#block]
    if (block === undefined) throw this.#fault('fewer')
    this.#block++
    this.block = block
    this.stop = 0
    checkBlock(block, this.#manifest.framing)
    this.#ends = lineEnds(block, this.#manifest.framing)
    this.#line = 0
    if (this.#ends.length === 0) throw this.#fault('fewer')
  }

  #fault(amount: 'more' | 'fewer'): ProtocolError {
    return new ProtocolError(
      'BAD_BLOCK',
      `core ${this.name} has ${amount} lines up to its block ${this.index} than the journal counts in the batch at position ${this.#seq}`
    )
  }
}

// Columns, not objects: a batch may have 65,536 lines, and most readers want their bytes only.
class LineTable {
  readonly blocks: Uint8Array[] = []
  readonly cores: number[] = []
  readonly indexes: number[] = []
  /** Per line: which of `blocks`, from where, to where, and the line's offset from the batch's first position. */
  readonly block: Uint32Array
  readonly start: Uint32Array
  readonly stop: Uint32Array
  readonly offset: Uint32Array
  count = 0
  #slots = new Map<Uint8Array, number>()
  #last: Uint8Array = EMPTY
  #slot = 0

  constructor(capacity: number) {
    this.block = new Uint32Array(capacity)
    this.start = new Uint32Array(capacity)
    this.stop = new Uint32Array(capacity)
    this.offset = new Uint32Array(capacity)
  }

  add(offset: number, part: Part, route: Router, position: number): void {
    part.next()
    if (route(part.block, position, part.start, part.stop) !== part.core) throw misrouted(part, position)
    if (part.block !== this.#last) this.#enter(part)
    const line = this.count++
    this.block[line] = this.#slot
    this.start[line] = part.start
    this.stop[line] = part.stop
    this.offset[line] = offset
  }

  #enter(part: Part): void {
    const known = this.#slots.get(part.block)
    this.#last = part.block
    this.#slot = known ?? this.blocks.length
    if (known !== undefined) return
    this.#slots.set(part.block, this.#slot)
    this.blocks.push(part.block)
    this.cores.push(part.core)
    this.indexes.push(part.index)
  }
}

class OrderedBatch implements Batch {
  readonly count: number
  readonly position: number
  readonly time: number
  readonly #record: JournalRecord
  readonly #manifest: LogManifest
  readonly #table: LineTable
  readonly #low: number
  readonly #high: number

  constructor(record: JournalRecord, manifest: LogManifest, table: LineTable, low: number, high: number) {
    this.#record = record
    this.#manifest = manifest
    this.#table = table
    this.#low = low
    this.#high = high
    this.count = high - low
    this.position = record.seq + (table.offset[low] as number)
    this.time = record.time
  }

  get next(): Position {
    // behind the whole batch, also behind lines that were filtered out after the last one
    if (this.#high === this.#table.count) return this.#record.seq + lineCount(this.#record)
    return this.#record.seq + (this.#table.offset[this.#high] as number)
  }

  get byteLength(): number {
    const { start, stop } = this.#table
    let total = 0
    for (let line = this.#low; line < this.#high; line++)
      total += (stop[line] as number) - (start[line] as number)
    return total
  }

  bytes(): Uint8Array {
    const { block, start, stop, blocks } = this.#table
    const total = this.byteLength
    let out: Uint8Array | null = null
    let at = 0
    for (let line = this.#low; line < this.#high; ) {
      const slot = block[line] as number
      const from = start[line] as number
      let to = stop[line++] as number
      // lines that lie side by side are copied in one piece, and not at all where there are no others
      while (line < this.#high && block[line] === slot && start[line] === to) to = stop[line++] as number
      const piece = (blocks[slot] as Uint8Array).subarray(from, to)
      if (piece.byteLength === total) return piece
      out ??= b4a.allocUnsafeSlow(total)
      out.set(piece, at)
      at += piece.byteLength
    }
    return out ?? EMPTY
  }

  slice(from: number, to: number = this.count): Batch {
    if (from === 0 && to >= this.count) return this
    return new OrderedBatch(
      this.#record,
      this.#manifest,
      this.#table,
      this.#low + from,
      Math.min(this.#high, this.#low + to)
    )
  }

  *[Symbol.iterator](): Iterator<Entry> {
    const { block, start, stop, offset, blocks, cores, indexes } = this.#table
    for (let line = this.#low; line < this.#high; line++) {
      const slot = block[line] as number
      const { name, key } = this.#manifest.cores[cores[slot] as number] as { name: string; key: CoreKey }
      yield {
        position: this.#record.seq + (offset[line] as number),
        line: (blocks[slot] as Uint8Array).subarray(start[line], stop[line]),
        core: name,
        key,
        index: indexes[slot] as number,
        time: this.time
      }
    }
  }
}

const EMPTY = new Uint8Array(0)

function misrouted(part: Part, position: number): ProtocolError {
  return new ProtocolError(
    'MISROUTED',
    `the line at position ${position}, block ${part.index} of core ${part.name}, lies where the routing rule does not put it`
  )
}
