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
  let deadline = Number.POSITIVE_INFINITY
  const aborted = whenAborted(signal)
  while (true) {
    const result = signal.aborted ? await orSilence(next, deadline) : await Promise.race([next, aborted])
    if (result === null) deadline = Date.now() + DRAIN_MS
    else if (result.done === true) return
    else {
      yield result.value
      next = iterator.next()
    }
  }
}

const END: IteratorResult<Uint8Array> = { done: true, value: undefined }

function whenAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}

async function orSilence(
  next: Promise<IteratorResult<Uint8Array>>,
  deadline: number
): Promise<IteratorResult<Uint8Array>> {
  if (Date.now() > deadline) return END
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<IteratorResult<Uint8Array>>((resolve) => {
    timer = setTimeout(resolve, SILENCE_MS, END)
  })
  const result = await Promise.race([next, silence])
  clearTimeout(timer)
  return result
}
