/** After `kill -9`, the lines of so much time come again. */
const COMMIT_INTERVAL_MS = 100

/**
 * Commits a mark behind what was delivered: at most every 100 ms, so that a store keeps up with millions of lines, and one
 * after the other.
 */
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

  /** Everything before `mark` has been delivered. Throws what the last commit failed with. */
  async move(mark: Mark): Promise<void> {
    this.#mark = mark
    const wait = this.#committed + COMMIT_INTERVAL_MS - Date.now()
    if (wait <= 0) await this.flush()
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

/** What fails in the background fails again in the next `move` or `flush`, and is thrown there. */
function ignore(): void {}
