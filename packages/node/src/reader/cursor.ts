import type { Place } from './batch.ts'

/** How far a named reader has delivered a log; kept in the reader's own store. */
export interface Cursor {
  readonly name: string
  /** Where to go on; null if nothing was ever committed. */
  readonly place: Place | null
  /** What was committed together with the place; null if nothing was. */
  readonly state: CursorState | null
  /** Whether what is stored of it cannot be read: it has no place then, and can be committed or removed. */
  readonly isDamaged: boolean
  /**
   * Makes `place` durable, over `kill -9` too, and `state` with it, both or neither: what a sink needs to go on exactly
   * there, e.g. the length of its file. Calls made while one is under way are joined into one.
   *
   * @throws NodeError `BAD_OPTION` for what is no place, or no plain state, or more than 1 MiB: the cursor stays as it was;
   * `STORE_FULL` or the like.
   */
  commit(place: Place, state?: CursorState): Promise<void>
  /** Forgets the place and the state. */
  remove(): Promise<void>
}

/** Small plain JSON. */
export interface CursorState {
  readonly [member: string]: string | number | boolean | null
}
