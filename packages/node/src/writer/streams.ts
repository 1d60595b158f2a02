import type { StreamCheckpoint } from '../checkpoint.ts'
import type { Lines } from './lines.ts'
import { GATHERED_BYTES, Submission } from './queue.ts'

/** How many submissions of one stream are in memory: one is flushed while the next one fills up, and the source waits. */
const SUBMISSIONS = 2

/** Gathers the lines of one stream into submissions. */
export class Gatherer {
  readonly #submit: (submission: Submission) => void
  readonly #checkpoint: StreamCheckpoint | undefined
  readonly #pending: Submission[] = []
  #first: Submission | null = null
  #lines = 0
  #bytes = 0

  constructor(submit: (submission: Submission) => void, checkpoint: StreamCheckpoint | undefined) {
    this.#submit = submit
    this.#checkpoint = checkpoint
  }

  /** How many lines were taken. */
  get lines(): number {
    return this.#lines
  }

  /** Takes all of `lines`; resolves when there is room for more. */
  async add(lines: Lines): Promise<void> {
    for (let from = 0; from < lines.ends.length; ) {
      const topped = this.#topUp(lines, from)
      const next = topped > from ? topped : await this.#begin(lines, from)
      this.#lines += next - from
      this.#bytes += (lines.ends[next - 1] ?? 0) - (lines.ends[from - 1] ?? 0)
      from = next
    }
  }

  /** Resolves to the position of the first line once all are durable; null if there was none. */
  async durable(): Promise<number | null> {
    await Promise.all(this.#pending.map((submission) => submission.durable))
    return (await this.#first?.durable) ?? null
  }

  /** Adds to the last submission, unless a flush has it; returns the first line left out. */
  #topUp(lines: Lines, from: number): number {
    const filling = this.#pending.at(-1)
    return filling === undefined || filling.taken ? from : filling.fill(lines, from)
  }

  async #begin(lines: Lines, from: number): Promise<number> {
    if (this.#pending.length === SUBMISSIONS) await this.#pending.shift()?.durable
    const before = { lines: this.#lines, bytes: this.#bytes }
    const submission = new Submission(this.#checkpoint && { ...this.#checkpoint, before }, GATHERED_BYTES)
    const filled = submission.fill(lines, from)
    this.#submit(submission)
    this.#pending.push(submission)
    this.#first ??= submission
    return filled
  }
}

/** `source` until it ends or `signal` aborts, whichever comes first; what `source` still waits for is not waited for. */
export async function* until<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal
): AsyncGenerator<T> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  try {
    while (!signal.aborted) {
      const result = await orAbort(Promise.resolve(iterator.next()), signal)
      if (result === null || result.done === true) return
      yield result.value
    }
  } finally {
    Promise.resolve(iterator.return?.()).catch(ignore)
  }
}

/** What `next` gives, or null once `signal` aborts. Not a race with one promise for all: that would keep every item for ever. */
function orAbort<T>(next: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const onabort = (): void => resolve(null)
    // the source may have aborted it just now
    if (signal.aborted) onabort()
    signal.addEventListener('abort', onabort, { once: true })
    const forget = (): void => signal.removeEventListener('abort', onabort)
    next.finally(forget).then(resolve, reject)
  })
}

function ignore(): void {}
