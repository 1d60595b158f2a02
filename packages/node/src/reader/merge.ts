import { ignore } from '../errors.ts'

export interface MergeOptions<T> {
  /** What an item counts against `limit`, in a unit of the caller's choice. */
  readonly weight: (item: T) => number
  /** The sources are run ahead of the consumer until what waits weighs so much. */
  readonly limit: () => number
}

/**
 * The items of all `sources` as they come, each source in its own order, read ahead of the consumer within bounds. The
 * first error of a source ends the merge.
 *
 * When the consumer stops, the sources are returned but not waited for: make their pending reads reject before.
 */
export async function* merge<T>(
  sources: readonly AsyncGenerator<T, void, undefined>[],
  { weight, limit }: MergeOptions<T>
): AsyncGenerator<T, void, undefined> {
  const queue: T[] = []
  let running = sources.length
  let waiting = 0
  let stopped = false
  const faults: Error[] = []
  const arrival = createSignal()
  const space = createSignal()

  const pump = async (source: AsyncGenerator<T, void, undefined>): Promise<void> => {
    try {
      for await (const item of source) {
        queue.push(item)
        waiting += weight(item)
        arrival.raise()
        while (waiting >= limit() && !stopped) await space.raised()
        if (stopped) return
      }
    } catch (error) {
      faults.push(error instanceof Error ? error : new Error(String(error)))
    } finally {
      running--
      arrival.raise()
    }
  }

  // a pump's promise cannot reject: its error is kept for the consumer
  for (const source of sources) void pump(source)
  try {
    while (true) {
      const item = queue.shift()
      if (item !== undefined) {
        yield item
        waiting -= weight(item)
        space.raise()
        continue
      }
      const [fault] = faults
      if (fault !== undefined) throw fault
      if (running === 0) return
      await arrival.raised()
    }
  } finally {
    stopped = true
    space.raise()
  }
}

interface Signal {
  raise(): void
  /** Resolves at the next `raise`. */
  raised(): Promise<void>
}

function createSignal(): Signal {
  let wake: () => void = ignore
  let next: Promise<void> | null = null
  return {
    raise: () => {
      next = null
      wake()
    },
    raised: () => {
      next ??= new Promise((resolve) => {
        wake = resolve
      })
      return next
    }
  }
}
