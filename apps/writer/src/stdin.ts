/** After a signal, buffered input is read until a pause this long … */
const PAUSE_MS = 50

/** … or for this long: a source that never pauses must not keep the program. */
const DRAIN_MS = 1000

/** The chunks of `source` until it ends or, after `signal` is aborted, until it pauses: the content of a pipe is still read. */
export async function* readInput(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  let next = iterator.next()
  let deadline: number | null = null
  while (true) {
    // the consumer may have been busy when the signal came
    if (signal.aborted) deadline ??= Date.now() + DRAIN_MS
    if (deadline !== null && Date.now() > deadline) return
    const result = await nextOrPause(next, signal)
    if (result === null && deadline === null) continue
    if (result === null || result.done === true) return
    yield result.value
    next = iterator.next()
  }
}

/**
 * The result of `next`; null when `signal` is aborted or, if it already is, after a pause. Racing against one shared promise
 * would retain every chunk.
 */
function nextOrPause<T>(next: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve(null)
    }
    const timer = signal.aborted ? setTimeout(end, PAUSE_MS) : undefined
    signal.addEventListener('abort', end, { once: true })
    void next.then(resolve, reject).finally(end)
  })
}
