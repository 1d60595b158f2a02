import b4a from 'b4a'
import { ignore } from '../errors.ts'
import { withTimeout } from '../waiting.ts'
import type { Lines } from './lines.ts'
import type { BatchQueue, PendingBatch } from './queue.ts'
import type { StreamCheckpoint } from './writer.ts'

/** How many batches of one stream are in memory: one is flushed while the next one fills. Then the source waits. */
const MAX_BATCHES = 2

export interface CollectOptions {
  readonly checkpoint: StreamCheckpoint | undefined
  /** Called before lines are added to a batch. Collecting ends with the error that it throws. */
  readonly onLines: () => void
  /** Called when a batch waits for a flush. */
  readonly onBatch: () => void
}

/**
 * Collects the lines of `source` into batches of `queue`. Resolves once all are durable, to their number and the position of the
 * first one, if any. When it rejects, each line taken from the source is durable or has failed.
 */
export async function collect(
  source: AsyncIterable<Lines>,
  queue: BatchQueue,
  { checkpoint, onLines, onBatch }: CollectOptions
): Promise<{ position: number | null; count: number }> {
  const pending: PendingBatch[] = []
  let position: number | null = null
  let count = 0
  let published = 0
  try {
    for await (const lines of source) {
      onLines()
      const { bytes, ends } = lines
      for (let from = 0; from < ends.length; ) {
        const batch = queue.last
        const before = batch?.end ?? 0
        const next = batch?.fill(lines, from) ?? from
        if (batch === null || next === from) {
          if (pending.length === MAX_BATCHES) await pending.shift()?.durable
          queue.addBatch()
          onBatch()
          continue
        }
        position ??= before
        const end = ends[next - 1] ?? 0
        count += next - from
        published += end - (ends[from - 1] ?? 0)
        if (checkpoint !== undefined) {
          const last = b4a.from(bytes.subarray(ends[next - 2] ?? 0, end))
          const progress = { lines: count, bytes: published, last }
          batch.checkpoints.set(checkpoint.name, () => checkpoint.at(progress))
        }
        if (pending.at(-1) !== batch) pending.push(batch)
        from = next
      }
    }
  } finally {
    // no line follows
    pending.at(-1)?.complete()
    await Promise.allSettled(pending.map(({ durable }) => durable))
  }
  await Promise.all(pending.map(({ durable }) => durable))
  return { position, count }
}

/** Iterates `source` until `signal` aborts, without waiting for a pending item. */
export async function* untilAborted<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal
): AsyncGenerator<T> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  try {
    while (!signal.aborted) {
      const result = await withTimeout(Promise.resolve(iterator.next()), { signal })
      if (result === null || result.done === true) return
      yield result.value
    }
  } finally {
    Promise.resolve(iterator.return?.()).catch(ignore)
  }
}
