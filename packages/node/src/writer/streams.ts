import b4a from 'b4a'
import type { Progress, StreamCheckpoint } from '../checkpoint.ts'
import { within } from '../waiting.ts'
import type { Lines } from './lines.ts'
import type { BatchQueue, PendingBatch } from './queue.ts'

/** How many batches of one stream are in memory: one is flushed while the next one fills up, and the source waits. */
const BATCHES = 2

export interface GathererOptions {
  readonly checkpoint: StreamCheckpoint | undefined
  /** Called when a batch waits for a flush. */
  readonly onbatch: () => void
}

/** Gathers the lines of one stream into batches. */
export class Gatherer {
  readonly #queue: BatchQueue
  readonly #options: GathererOptions
  readonly #pending: PendingBatch[] = []
  /** How far the stream has come with the last of those. */
  #progress: Progress = { lines: 0, bytes: 0, last: NOTHING }
  /** The position of the first line; null if there was none. */
  position: number | null = null

  constructor(queue: BatchQueue, options: GathererOptions) {
    this.#queue = queue
    this.#options = options
  }

  /** How many lines were taken. */
  get lines(): number {
    return this.#progress.lines
  }

  /** Takes all of `lines`; resolves when there is room for more. */
  async add(lines: Lines): Promise<void> {
    for (let from = 0; from < lines.ends.length; ) {
      const batch = this.#queue.last
      const position = batch?.end ?? 0
      const next = batch?.fill(lines, from) ?? from
      if (batch !== null && next > from) {
        this.position ??= position
        this.#advance(batch, lines, from, next)
        from = next
        continue
      }
      if (this.#pending.length === BATCHES) await this.#pending.shift()?.durable
      this.#queue.begin()
      this.#options.onbatch()
    }
  }

  /** Resolves when all lines are durable. */
  async durable(): Promise<void> {
    await Promise.all(this.#pending.map((batch) => batch.durable))
  }

  #advance(batch: PendingBatch, { bytes, ends }: Lines, from: number, next: number): void {
    const { checkpoint } = this.#options
    const end = ends[next - 1] ?? 0
    const lines = this.#progress.lines + next - from
    const taken = this.#progress.bytes + end - (ends[from - 1] ?? 0)
    const last = checkpoint === undefined ? NOTHING : b4a.from(bytes.subarray(ends[next - 2] ?? 0, end))
    const progress = { lines, bytes: taken, last }
    this.#progress = progress
    if (checkpoint !== undefined) batch.mark(checkpoint.name, () => checkpoint.at(progress))
    if (this.#pending.at(-1) !== batch) this.#pending.push(batch)
  }
}

const NOTHING = new Uint8Array()

/** `source` until it ends or `signal` aborts, whichever comes first; what `source` still waits for is not waited for. */
export async function* until<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal
): AsyncGenerator<T> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  try {
    while (!signal.aborted) {
      const result = await within(Promise.resolve(iterator.next()), { signal })
      if (result === null || result.done === true) return
      yield result.value
    }
  } finally {
    Promise.resolve(iterator.return?.()).catch(ignore)
  }
}

function ignore(): void {}
