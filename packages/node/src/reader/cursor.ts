import type { Position } from './batch.ts'

/** How far a named reader has delivered a log. Kept in a file beside the store. */
export interface Cursor {
  readonly name: string
  /** The position to resume from; null if none was committed. */
  readonly position: Position | null
  /** The state committed together with the position; null if there was none. */
  readonly state: CursorState | null
  /** Whether its stored bytes cannot be read. A damaged cursor has no position; commit one, or remove it. */
  readonly isDamaged: boolean
  /**
   * Locks the cursor until the node closes: only one process at a time can move it. `commit` and `remove` do this, too.
   *
   * @throws NodeError `STORE_IN_USE`, naming the process that has it.
   */
  lock(): Promise<void>
  /**
   * Makes `position` and `state` durable, both or neither; they survive `kill -9`. `state` is what a sink needs to resume
   * exactly there, such as the length of its file. Calls made while another is running are merged into one.
   *
   * @throws NodeError `BAD_OPTION` for an invalid position or state, or more than 1 MiB: the cursor does not change;
   * `STORE_IN_USE` as `lock`; `STORE_FULL` and other faults of the disk.
   */
  commit(position: Position, state?: CursorState): Promise<void>
  /** Removes the position and the state. */
  remove(): Promise<void>
}

/** Small plain JSON. */
export interface CursorState {
  readonly [member: string]: string | number | boolean | null
}
