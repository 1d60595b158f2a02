import { type Framing, MAX_BATCH_LINES, type Router } from '@many-cores/protocol'
import { ignore } from '../errors.ts'
import { type Wait, withTimeout } from '../waiting.ts'
import type { Checkpoints } from './checkpoint.ts'
import type { Lines } from './lines.ts'
import { Packer } from './packer.ts'

/**
 * The most bytes of a batch that collects a stream or several calls. It is as fast as 16 MiB, and needs 100 MB less. One line or one
 * call that is longer makes a batch alone.
 */
const COLLECTED_BYTES = 4 * 1024 * 1024

/** Lines that become durable together. They are copies: the caller can reuse its buffers. */
export class PendingBatch extends Packer {
  /** Resolves once the batch is durable. */
  readonly durable: Promise<void>
  resolve: () => void = ignore
  reject: (error: unknown) => void = ignore
  /** Stored with the lines. */
  readonly checkpoints: Checkpoints = new Map()
  /** Ends the wait for more lines. */
  complete: () => void = ignore
  readonly #completed: Promise<void>
  readonly #began = performance.now()

  /** `seq` is the position of its first line. */
  constructor(route: Router, framing: Framing, seq: number) {
    super(route, framing, seq)
    this.durable = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // a caller may await it later, or another batch that fails with it
    this.durable.catch(ignore)
    this.#completed = new Promise((resolve) => {
      this.complete = resolve
    })
  }

  override add(lines: Lines, first?: number, next?: number): void {
    super.add(lines, first, next)
    if (!this.hasRoom(1, 1)) this.complete()
  }

  /** Waits for more lines: until the batch is complete, is `timeout` ms old, or `signal` aborts. */
  async linger({ timeout, signal }: Wait): Promise<void> {
    const rest = this.#began + timeout - performance.now()
    if (rest > 0) await withTimeout(this.#completed, { timeout: rest, signal })
  }

  /** Whether this many lines and bytes can be added. An empty batch has room for anything that one batch can hold. */
  hasRoom(lines: number, bytes: number): boolean {
    return (
      this.lines === 0 || (this.lines + lines <= MAX_BATCH_LINES && this.bytes + bytes <= COLLECTED_BYTES)
    )
  }

  /** Adds lines from line `first` on, as many as there is room for. Returns the first line that was not added. */
  fill(from: Lines, first: number): number {
    const { ends } = from
    const start = ends[first - 1] ?? 0
    let next = Math.min(ends.length, first + MAX_BATCH_LINES - this.lines)
    while (next > first && !this.hasRoom(next - first, (ends[next - 1] ?? 0) - start)) next--
    if (next > first) this.add(from, first, next)
    return next
  }
}

/** The batches that wait for a flush, in order. Lines are added only to the last one. */
export class BatchQueue {
  readonly #route: Router
  readonly #framing: Framing
  readonly #waiting: PendingBatch[] = []
  #end: number

  /** `position` is that of the next line. */
  constructor(route: Router, framing: Framing, position: number) {
    this.#route = route
    this.#framing = framing
    this.#end = position
  }

  /** The first batch; null if none waits. */
  get first(): PendingBatch | null {
    return this.#waiting[0] ?? null
  }

  /** The last batch; null if none waits. */
  get last(): PendingBatch | null {
    return this.#waiting.at(-1) ?? null
  }

  /** A batch that has room for this many lines and bytes. */
  batchFor(lines: number, bytes: number): PendingBatch {
    const { last } = this
    return last?.hasRoom(lines, bytes) ? last : this.addBatch()
  }

  /** Adds an empty batch. The one before it is complete. */
  addBatch(): PendingBatch {
    this.last?.complete()
    const batch = new PendingBatch(this.#route, this.#framing, this.last?.end ?? this.#end)
    this.#waiting.push(batch)
    return batch
  }

  /** Removes the first batch: a flush has it from now on. */
  shift(): void {
    this.#end = this.#waiting.shift()?.end ?? this.#end
  }

  rejectAll(error: unknown): void {
    for (const batch of this.#waiting.splice(0)) batch.reject(error)
  }
}
