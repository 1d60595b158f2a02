import type { Place } from './batch.ts'

/** How far a named reader has delivered a log; kept in the reader's own store. */
export interface Cursor {
  readonly name: string
  /** Where to go on; null if nothing was ever committed. */
  readonly place: Place | null
  /**
   * Makes `place` durable, over `kill -9` too. Calls made while one is under way are joined into one.
   *
   * @throws NodeError `STORE_FULL` or the like.
   */
  commit(place: Place): Promise<void>
}
