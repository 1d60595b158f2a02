import { ignore } from '@many-cores/cli'

/** After `kill -9`, the lines of at most this time are delivered again. */
const COMMIT_INTERVAL_MS = 100

/** Commits the position of what was delivered, one commit after the other and at most one every 100 ms: a store cannot do more. */
export class Bookmark<Mark extends object> {
  readonly #commit: (mark: Mark) => Promise<void>
  #mark: Mark | null = null
  #stored: Mark | null = null
  #committed = 0
  #committing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | null = null

  constructor(commit: (mark: Mark) => Promise<void>) {
    this.#commit = commit
  }

  /** Everything before `mark` is delivered. Throws the error of the last commit. */
  async move(mark: Mark): Promise<void> {
    this.#mark = mark
    const wait = this.#committed + COMMIT_INTERVAL_MS - Date.now()
    if (wait <= 0) await this.flush()
    // an error recurs in the next `move` or `flush`
    else this.#timer ??= setTimeout(() => void this.flush().catch(ignore), wait)
  }

  /** Commits now. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#committing = this.#commitLast(this.#committing)
    return this.#committing
  }

  async #commitLast(before: Promise<void>): Promise<void> {
    await before.catch(ignore)
    const mark = this.#mark
    if (mark === null || mark === this.#stored) return
    await this.#commit(mark)
    this.#committed = Date.now()
    this.#stored = mark
  }
}
