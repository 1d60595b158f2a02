import { setTimeout as sleep } from 'node:timers/promises'

/** How often a condition without an event is checked. */
const POLL_MS = 10

/** What ends a wait. */
export interface Wait {
  /** In ms; 0 = no limit. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** The result of `work`; null after the timeout or an abort. Not `Promise.race`: a long-lived promise would keep every result. */
export function withTimeout<T>(work: Promise<T>, { timeout = 0, signal }: Partial<Wait>): Promise<T | null> {
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

/** Waits until `condition` is true, for at most `milliseconds`. Returns whether it is. Rejects when `signal` aborts. */
export async function waitUntil(
  condition: () => boolean,
  milliseconds: number,
  signal?: AbortSignal
): Promise<boolean> {
  const end = performance.now() + milliseconds
  while (!condition() && performance.now() < end)
    await sleep(POLL_MS, undefined, { ...(signal && { signal }) })
  return condition()
}
