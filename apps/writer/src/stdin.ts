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
    const result = await (deadline === null ? orAbort(next, signal) : orSilence(next, deadline))
    if (result === null) continue
    if (result.done === true) return
    yield result.value
    next = iterator.next()
  }
}

type Next = IteratorResult<Uint8Array>

const END: Next = { done: true, value: undefined }

/** What comes next, or null once `signal` aborts. Not a race with one promise for all: that would keep every chunk for ever. */
function orAbort(next: Promise<Next>, signal: AbortSignal): Promise<Next | null> {
  return new Promise((resolve, reject) => {
    const onabort = (): void => resolve(null)
    signal.addEventListener('abort', onabort, { once: true })
    const forget = (): void => signal.removeEventListener('abort', onabort)
    next.finally(forget).then(resolve, reject)
  })
}

/** What comes next, or the end where nothing comes. */
async function orSilence(next: Promise<Next>, deadline: number): Promise<Next> {
  if (Date.now() > deadline) return END
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<Next>((resolve) => {
    timer = setTimeout(resolve, SILENCE_MS, END)
  })
  const result = await Promise.race([next, silence])
  clearTimeout(timer)
  return result
}
