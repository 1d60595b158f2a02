import { ignore } from '../errors.ts'

export interface MergeOptions<T> {
  /** What an item counts against `limit`. Default 1. */
  readonly weight?: (item: T) => number
  /** The sources run until the weight of the items that wait for the consumer reaches this. Default 1. */
  readonly limit?: () => number
}

/**
 * The items of all `sources` as they arrive, each source in its own order, read ahead of the consumer. The first error of
 * a source ends the merge.
 *
 * When the consumer stops, the sources end at their next item, and nothing waits for that: reject their pending reads.
 */
export async function* merge<T>(
  sources: readonly AsyncGenerator<T, void, undefined>[],
  { weight = () => 1, limit = () => 1 }: MergeOptions<T> = {}
): AsyncGenerator<T, void, undefined> {
  const queue: T[] = []
  let running = sources.length
  let waiting = 0
  let stopped = false
  const faults: Error[] = []
  let onArrival: () => void = ignore
  const paused: (() => void)[] = []
  const resume = (): void => {
    for (const wake of paused.splice(0)) wake()
  }

  // never rejects: an error is kept for the consumer
  const pump = async (source: AsyncGenerator<T, void, undefined>): Promise<void> => {
    try {
      for await (const item of source) {
        queue.push(item)
        waiting += weight(item)
        onArrival()
        while (waiting >= limit() && !stopped)
          await new Promise<void>((wake) => {
            paused.push(wake)
          })
        if (stopped) return
      }
    } catch (error) {
      faults.push(error instanceof Error ? error : new Error(String(error)))
    } finally {
      running--
      onArrival()
    }
  }

  for (const source of sources) void pump(source)
  try {
    while (true) {
      const item = queue.shift()
      if (item !== undefined) {
        yield item
        waiting -= weight(item)
        resume()
        continue
      }
      const [fault] = faults
      if (fault !== undefined) throw fault
      if (running === 0) return
      await new Promise<void>((wake) => {
        onArrival = wake
      })
    }
  } finally {
    stopped = true
    resume()
  }
}
