import { type Framing, MAX_BATCH_LINES, type Router } from '@many-cores/protocol'
import { ignore } from '../errors.ts'
import { type Checkpoints, encodeCheckpoint } from './checkpoint.ts'
import type { Lines } from './lines.ts'
import { Packer } from './packer.ts'

/**
 * What a batch that gathers a stream, or several calls, is meant to have at most, in bytes: as fast as batches of 16 MiB, in
 * 100 MB less. One line, or one call, that is longer makes a batch alone.
 */
const GATHERED_BYTES = 4 * 1024 * 1024

/** Lines that become durable together. They are copies: the caller may use its buffers again. */
export class PendingBatch extends Packer {
  /** Resolves once it is durable. */
  readonly durable: Promise<void>
  resolve: () => void = ignore
  reject: (error: unknown) => void = ignore
  /** By name: what gives the value. */
  readonly #checkpoints = new Map<string, () => Uint8Array | string>()

  /** `seq` is the position of its first line. */
  constructor(route: Router, framing: Framing, seq: number) {
    super(route, framing, seq)
    this.durable = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // a caller may look only later, or at another promise that fails with it
    this.durable.catch(ignore)
  }

  /** Whether so much can be added; what no other batch could hold either fits an empty one. */
  hasRoom(lines: number, bytes: number): boolean {
    return this.lines === 0 || (this.lines + lines <= MAX_BATCH_LINES && this.bytes + bytes <= GATHERED_BYTES)
  }

  /** Adds lines of `from` from its line `first` on, as many as there is room for; returns the first left out. */
  fill(from: Lines, first: number): number {
    const { ends } = from
    const start = ends[first - 1] ?? 0
    let next = Math.min(ends.length, first + MAX_BATCH_LINES - this.lines)
    while (next > first && !this.hasRoom(next - first, (ends[next - 1] ?? 0) - start)) next--
    if (next > first) this.add(from, first, next)
    return next
  }

  /** Stores a checkpoint with the lines; of one name, the last one counts. `value` is asked for once nothing can be added. */
  mark(name: string, value: () => Uint8Array | string): void {
    this.#checkpoints.set(name, value)
  }

  checkpoints(): Checkpoints {
    const values = new Map<string, Uint8Array>()
    for (const [name, value] of this.#checkpoints) values.set(name, encodeCheckpoint(name, value()))
    return values
  }
}

/** The batches that wait for a flush, in order. Only the last one is added to. */
export class BatchQueue {
  readonly #route: Router
  readonly #framing: Framing
  #waiting: PendingBatch[] = []
  #end: number

  /** `position` is that of the next line. */
  constructor(route: Router, framing: Framing, position: number) {
    this.#route = route
    this.#framing = framing
    this.#end = position
  }

  /** The last batch, if there is one that no flush has. */
  get last(): PendingBatch | null {
    return this.#waiting.at(-1) ?? null
  }

  /** A batch that has room for so much. */
  batchFor(lines: number, bytes: number): PendingBatch {
    const { last } = this
    return last?.hasRoom(lines, bytes) ? last : this.begin()
  }

  /** A new batch, behind all others. */
  begin(): PendingBatch {
    const batch = new PendingBatch(this.#route, this.#framing, this.last?.end ?? this.#end)
    this.#waiting.push(batch)
    return batch
  }

  /** The first batch, which a flush has from now on. */
  take(): PendingBatch | null {
    const batch = this.#waiting.shift() ?? null
    this.#end = batch?.end ?? this.#end
    return batch
  }

  /** Fails everything that waits. */
  rejectAll(error: unknown): void {
    for (const batch of this.#waiting.splice(0)) batch.reject(error)
  }
}
