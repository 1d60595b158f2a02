/** After a signal: what stands in the pipe is taken until nothing has come for so long … */
const SILENCE_MS = 50

/** … or so much time has passed: a source that never pauses must not keep the program. */
const DRAIN_MS = 1000

/**
 * The chunks of `source` until it ends or, after `signal`, until it has fallen silent: what a pipe held when the signal came
 * is still taken.
 */
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
    const result = await orSilence(next, signal)
    if (result === null && deadline === null) continue
    if (result === null || result.done === true) return
    yield result.value
    next = iterator.next()
  }
}

/**
 * What `next` gives; null once `signal` aborts or, where it has, after a silence. Not a race with one promise for all: that would
 * keep every chunk for ever.
 */
function orSilence<T>(next: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve(null)
    }
    const timer = signal.aborted ? setTimeout(end, SILENCE_MS) : undefined
    signal.addEventListener('abort', end, { once: true })
    void next.then(resolve, reject).finally(end)
  })
}
