import b4a from 'b4a'
import { ignore } from '../errors.ts'
import { within } from '../waiting.ts'
import type { Lines } from './lines.ts'
import type { BatchQueue, PendingBatch } from './queue.ts'
import type { Progress, StreamCheckpoint } from './writer.ts'

/** How many batches of one stream are in memory: one is flushed while the next one fills up, and the source waits. */
const BATCHES = 2

export interface GatherOptions {
  readonly checkpoint: StreamCheckpoint | undefined
  /** Called before lines are taken; what it throws ends the gathering. */
  readonly onlines: () => void
  /** Called when a batch waits for a flush. */
  readonly onbatch: () => void
}

/**
 * Gathers the lines of `source` into batches of `queue`. Resolves when all are durable, to how many they are, and the position of
 * the first, if there was one. Where it rejects, what was taken is durable, or has failed.
 */
export async function gather(
  source: AsyncIterable<Lines>,
  queue: BatchQueue,
  { checkpoint, onlines, onbatch }: GatherOptions
): Promise<{ position: number | null; count: number }> {
  const pending: PendingBatch[] = []
  const durable = (): Promise<unknown> => Promise.all(pending.map((batch) => batch.durable))
  let progress: Progress = { lines: 0, bytes: 0, last: NOTHING }
  let position: number | null = null
  try {
    for await (const lines of source) {
      onlines()
      const { bytes, ends } = lines
      for (let from = 0; from < ends.length; ) {
        const batch = queue.last
        const before = batch?.end ?? 0
        const next = batch?.fill(lines, from) ?? from
        if (batch === null || next === from) {
          if (pending.length === BATCHES) await pending.shift()?.durable
          queue.begin()
          onbatch()
          continue
        }
        position ??= before
        const end = ends[next - 1] ?? 0
        const reached = {
          lines: progress.lines + next - from,
          bytes: progress.bytes + end - (ends[from - 1] ?? 0),
          last: checkpoint === undefined ? NOTHING : b4a.from(bytes.subarray(ends[next - 2] ?? 0, end))
        }
        if (checkpoint !== undefined) batch.mark(checkpoint.name, () => checkpoint.at(reached))
        progress = reached
        if (pending.at(-1) !== batch) pending.push(batch)
        from = next
      }
    }
  } finally {
    await durable().catch(ignore)
  }
  await durable()
  return { position, count: progress.lines }
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
