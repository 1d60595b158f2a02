import type { CoreKey } from '@many-cores/protocol'

/** One line, delivered. */
export interface Entry {
  /** The line's number in the log, from 0; null in a tutorial log, which has no order across its cores. */
  readonly position: number | null
  /**
   * The bytes that were published, terminator included. A view of the block that holds the line: while you keep it, the whole
   * block stays in memory, up to 1 MiB. Keep `new Uint8Array(line)` instead.
   */
  readonly line: Uint8Array
  /** The name of the core that holds it. */
  readonly core: string
  readonly key: CoreKey
  /** The index of the block that holds it. */
  readonly index: number
  /** When it was made durable, in ms since 1970; null in a tutorial log. */
  readonly time: number | null
}

/**
 * Where to go on in a log: the position of the next line or, in a tutorial log, the next block of each core by name. Plain
 * JSON.
 */
export type Place = number | { readonly [core: string]: number }

/** Some lines of a log, side by side in its order, as they arrived: iterate it, or take its bytes in one piece. */
export interface Batch extends Iterable<Entry> {
  /** How many lines; never 0. */
  readonly count: number
  /** The position of the first line; null in a tutorial log. */
  readonly position: number | null
  readonly time: number | null
  /** Where to go on behind the last line. */
  readonly next: Place
  /** How many bytes the lines have in all. */
  readonly byteLength: number
  /** All lines back to back. May be a view of a block, as `Entry.line` is: keep a copy. */
  bytes(): Uint8Array
  /** Lines `from` to `to` (exclusive, default the end), counted from 0 in this batch. */
  slice(from: number, to?: number): Batch
}
