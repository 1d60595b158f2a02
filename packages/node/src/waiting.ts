import { setTimeout as elapse } from 'node:timers/promises'

/** How often a condition is looked at that has no event. */
const POLL_MS = 10

/** How long somebody may wait. */
export interface Wait {
  /** In ms; 0 = for ever. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** What `work` gives, or null where the wait ends first. Not a race with one promise for all: that would keep every result for ever. */
export function within<T>(work: Promise<T>, { timeout = 0, signal }: Partial<Wait>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve(null)
    }
    const timer = timeout > 0 ? setTimeout(end, timeout) : undefined
    if (signal?.aborted === true) end()
    else signal?.addEventListener('abort', end, { once: true })
    void work.then(resolve, reject).finally(end)
  })
}

/** Whether `condition`, looked at again and again, comes true within so many ms. Rejects when `signal` aborts. */
export async function comesTrue(
  condition: () => boolean,
  milliseconds: number,
  signal?: AbortSignal
): Promise<boolean> {
  const end = performance.now() + milliseconds
  while (!condition() && performance.now() < end)
    await elapse(POLL_MS, undefined, { ...(signal && { signal }) })
  return condition()
}
