import type { Cursor, Place } from '@many-cores/node'

/** After `kill -9`, the lines of so much time come again. */
const COMMIT_INTERVAL_MS = 100

/** Commits a cursor behind what was delivered: at most every 100 ms, so that a store keeps up with millions of lines. */
export class Bookmark {
  readonly #cursor: Cursor
  #place: Place | null = null
  #committed = 0
  #timer: NodeJS.Timeout | null = null

  constructor(cursor: Cursor) {
    this.#cursor = cursor
  }

  /** Everything before `place` has been delivered. Throws what the last commit failed with. */
  async move(place: Place): Promise<void> {
    this.#place = place
    const wait = this.#committed + COMMIT_INTERVAL_MS - Date.now()
    if (wait <= 0) await this.flush()
    else this.#timer ??= setTimeout(() => void this.flush().catch(ignore), wait)
  }

  /** Commits now. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#place === null) return
    this.#committed = Date.now()
    await this.#cursor.commit(this.#place)
  }
}

/** What fails in the background fails again in the next `move` or `flush`, and is thrown there. */
function ignore(): void {}
