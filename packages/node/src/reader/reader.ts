import type { BootstrapManifest, CoreKey } from '@many-cores/protocol'
import type { Batch, Entry } from './batch.ts'
import type { Bound } from './bound.ts'
import type { Cursor } from './cursor.ts'

export interface ReaderOptions {
  /** How long to look for the log, in ms. Default 30,000; 0 = no limit. */
  readonly timeout?: number
  /** Aborts opening. */
  readonly signal?: AbortSignal
}

export interface FollowOptions {
  /** Where to begin; `end` is for new lines only. Default `start`. */
  readonly from?: Bound
  /**
   * The line to end before. A bound that depends on the end of the log, or a time that has passed, is fixed when the
   * iteration begins. Default: none.
   */
  readonly until?: Bound
  /**
   * Only the lines of the cores with these names; the blocks of others are not downloaded. A bound that counts from the end
   * counts these lines. Default: all.
   */
  readonly cores?: readonly string[]
  /** Continue with new lines, or end after those that peers have now. Default true. */
  readonly live?: boolean
  /**
   * How long to wait for a peer that knows the end of the log, where it is needed, in ms; a live iteration waits at most
   * 10,000, then uses the end that is stored. With `live: false`, also how long to wait for each block. Default 30,000;
   * 0 = no limit.
   */
  readonly timeout?: number
  /** Ends the iteration without an error, as `break` does. */
  readonly signal?: AbortSignal
}

export type RangeOptions = Omit<FollowOptions, 'from' | 'until' | 'live'>

export interface AskOptions {
  /** How long to wait for a peer, and for each block, in ms. Default 30,000; 0 = no limit. */
  readonly timeout?: number
  /** Aborts the call, which rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface LocateOptions extends AskOptions {
  /** Count the lines of the cores with these names, if the bound counts from the end. Default: all lines. */
  readonly cores?: readonly string[]
}

export interface VerifyOptions extends AskOptions {
  /** Called with the number of lines verified so far. */
  readonly onProgress?: (lines: number) => void
}

/** The counts of a verified log. */
export interface Verification {
  readonly lines: number
  readonly batches: number
  /** Blocks of all data cores. */
  readonly blocks: number
  readonly bytes: number
  /** False if no peer answered where the log ends: only stored lines were verified. */
  readonly reached: boolean
}

/** Reads one log, verified. Made by `openReader`. */
export interface Reader {
  readonly key: CoreKey
  /** Block 0. `version` 0 is a tutorial log: followed core by core, without positions and times. */
  readonly manifest: BootstrapManifest
  /**
   * Every line once, in the order it was written, history first and then live. Lines are pulled: a slow consumer slows the
   * download and does not fill the memory. Ends at `break`, at `signal`, at `close`, or (with `live: false`) at the end.
   *
   * @throws NodeError `BAD_OPTION`; `REWRITTEN` if the log has forked; `STORE_FULL` if nothing more can be stored, after
   * which the node must be opened again; `GONE` for a block that did not arrive; `NOT_FOUND` at the end, with
   * `live: false`, if no peer answered whether there is more; ProtocolError if journal and cores disagree.
   */
  follow(options?: FollowOptions): AsyncGenerator<Entry, void, undefined>
  /** As `follow`, a batch or a part of one at a time: ten times as fast, if you do not need single entries. */
  batches(options?: FollowOptions): AsyncGenerator<Batch, void, undefined>
  /** The lines from `from` to `to` (exclusive), or to the end of the log. A range that is stored here needs no peer. */
  range(from: Bound, to: Bound, options?: RangeOptions): AsyncGenerator<Entry, void, undefined>
  /**
   * The line at this position, or counted from the end if it is negative; null if there is none. Downloads only the blocks
   * of its batch. The line is a copy.
   */
  at(position: number, options?: AskOptions): Promise<Entry | null>
  /**
   * The position of the first line that became durable at `time` or later, or the end. Uses bisection: about 20 of a
   * million records.
   *
   * @throws NodeError `NOT_FOUND` if no peer answered in time; `BAD_OPTION` for a tutorial log, which has no times.
   */
  find(time: number | Date, options?: AskOptions): Promise<number>
  /** The position of a bound, as far as peers know the log now. Throws as `find`. */
  locate(bound: Bound, options?: LocateOptions): Promise<number>
  /** The number of lines that peers know of now. Throws as `find`. */
  length(options?: AskOptions): Promise<number>
  /**
   * Reads the whole log, from the store and from peers, and checks it: journal and cores agree without a gap, every line is
   * in the core that the routing rule names, and the journal names every block.
   *
   * @throws ProtocolError or NodeError `INTEGRITY` for the first fault, naming position, core and block; NodeError `GONE`
   * for a block that no peer has.
   */
  verify(options?: VerifyOptions): Promise<Verification>
  /**
   * A named cursor of this log, kept in the node's store. Default name `default`.
   *
   * @throws NodeError `BAD_OPTION` for an invalid name; `STORE_REFUSED` for a damaged cursor, which `cursors` includes.
   */
  cursor(name?: string): Promise<Cursor>
  /** The cursors of this log that have a position or are damaged, by name. */
  cursors(): Promise<readonly Cursor[]>
  /** Ends every iteration and closes. Idempotent. The node stays open, and continues to serve the log. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The default wait for peers and blocks, in ms. */
export const DEFAULT_TIMEOUT_MS = 30_000
