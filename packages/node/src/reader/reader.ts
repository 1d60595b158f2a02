import type { BootstrapManifest, CoreKey } from '@many-cores/protocol'
import type { Batch, Entry } from './batch.ts'
import type { Bound } from './bound.ts'
import type { Cursor } from './cursor.ts'

export interface ReaderOptions {
  /** How long to look for the log, in ms. Default 30,000; 0 = for ever. */
  readonly timeout?: number
  /** Gives up opening. */
  readonly signal?: AbortSignal
}

export interface FollowOptions {
  /** Where to begin; `end` is only what comes later. Default `start`. */
  readonly from?: Bound
  /**
   * Before which line to end, once it is reached. What lies before the end of the log or before a time that has passed is
   * fixed when the iteration begins. Default: none.
   */
  readonly until?: Bound
  /** Only the lines of the cores with these names; the blocks of the others are not downloaded. Default: all. */
  readonly cores?: readonly string[]
  /** Go on with what comes later, or end behind what the peers have now. Default true. */
  readonly live?: boolean
  /**
   * Where the end must be known: how long to wait for a peer who knows it, in ms; live at most 10,000, then the end as it is
   * stored here counts. And with `live: false`: how long to wait for any block. Default 30,000; 0 = for ever.
   */
  readonly timeout?: number
  /** Ends the iteration, as `break` does: no error. */
  readonly signal?: AbortSignal
}

/** How to ask for a part of a log that ends. */
export type RangeOptions = Omit<FollowOptions, 'from' | 'until' | 'live'>

/** How to ask for one thing. */
export interface AskOptions {
  /** How long to wait for a peer, and for any block, in ms. Default 30,000; 0 = for ever. */
  readonly timeout?: number
  /** Gives up: rejects with its reason. */
  readonly signal?: AbortSignal
}

export interface VerifyOptions extends AskOptions {
  /** Told how many lines have been verified, as it goes on. Default: nobody. */
  readonly onProgress?: (lines: number) => void
}

/** What was read and found to be right. */
export interface Verification {
  readonly lines: number
  readonly batches: number
  /** Blocks of all data cores. */
  readonly blocks: number
  readonly bytes: number
  /** False where no peer could be asked whether there is more than what is stored here. */
  readonly reached: boolean
}

/** Reads one log, verified. Made by `openReader`. */
export interface Reader {
  readonly key: CoreKey
  /** Block 0. `version` 0 is a tutorial log: followed core by core, without positions and times. */
  readonly manifest: BootstrapManifest
  /**
   * Every line once, in the order it was written, history first and then live. Lines are pulled: a slow consumer slows the
   * download, not the memory. Ends at `break`, at `signal`, at `close`, or (with `live: false`) at the end.
   *
   * @throws NodeError `BAD_OPTION`; `REWRITTEN` once the log has two histories; `STORE_FULL` where nothing
   * more can be stored, after which the node must be opened anew; `GONE` for a block that did not come; `NOT_FOUND` at the end, with `live: false`, where
   * no peer could be asked for more; ProtocolError where journal and cores disagree.
   */
  follow(options?: FollowOptions): AsyncGenerator<Entry, void, undefined>
  /** The same, a batch or a part of one at a time: an order of magnitude faster where single entries are not needed. */
  batches(options?: FollowOptions): AsyncGenerator<Batch, void, undefined>
  /** The lines from `from` to `to` (exclusive), or to the end of the log. A range that is stored here needs no peer. */
  range(from: Bound, to: Bound, options?: RangeOptions): AsyncGenerator<Entry, void, undefined>
  /**
   * The line at this position, a negative one counted from the end; null where there is none. Fetches its batch alone. The
   * line is a copy.
   */
  at(position: number, options?: AskOptions): Promise<Entry | null>
  /**
   * The position of the first line that was made durable at `time` or later, or the end: found by bisection, some 20 records
   * of a million.
   *
   * @throws NodeError `NOT_FOUND` where no peer knew the end in time; `BAD_OPTION` for a tutorial log, which has no times.
   */
  find(time: number | Date, options?: AskOptions): Promise<number>
  /** How many lines the log has, by what the peers know now. Throws as `find`. */
  length(options?: AskOptions): Promise<number>
  /**
   * Reads everything that is stored here or can be had, to the end, and checks it: that journal and cores agree without a
   * gap, that every line lies where the rule puts it, that no core has blocks which the journal does not name.
   *
   * @throws ProtocolError or NodeError `INTEGRITY` for the first fault, naming position, core and block; NodeError `GONE` for
   * a block that nobody has.
   */
  verify(options?: VerifyOptions): Promise<Verification>
  /**
   * A named position in this log, kept in the node's store. Default name `default`.
   *
   * @throws NodeError `BAD_OPTION` for a name that cannot be one; `STORE_REFUSED` for a damaged one, which `cursors` has.
   */
  cursor(name?: string): Promise<Cursor>
  /** All cursors of this log that have a place or are damaged, by name. */
  cursors(): Promise<readonly Cursor[]>
  /** Ends every iteration and closes. Idempotent. The node stays open and goes on serving what it has. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** How long peers and blocks are waited for unless the caller says otherwise, in ms. */
export const DEFAULT_TIMEOUT_MS = 30_000
