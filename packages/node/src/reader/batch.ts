import type { CoreKey } from '@many-cores/protocol'

/** One line of a log. */
export interface Entry {
  /** The line's position, from 0; null in a tutorial log, which has no order across its cores. */
  readonly position: number | null
  /**
   * The bytes as published, terminator included. A view of the block that holds the line: while you keep it, the whole
   * block stays in memory, up to 1 MiB. Keep `new Uint8Array(line)` instead.
   */
  readonly line: Uint8Array
  /** The name of the core that holds it. */
  readonly core: string
  readonly key: CoreKey
  /** The index of the block that holds it. */
  readonly index: number
  /** When the line became durable, in ms since 1970; null in a tutorial log. */
  readonly time: number | null
}

/**
 * A position in a log: the number of its next line or, in a tutorial log, the index of the next block of each core by name.
 * Plain JSON.
 */
export type Position = number | { readonly [core: string]: number }

/** Some lines of a log in their order: iterate over them, or get their bytes in one piece. */
export interface Batch extends Iterable<Entry> {
  /** The number of lines; never 0. */
  readonly count: number
  /** The position of the first line; null in a tutorial log. */
  readonly position: number | null
  readonly time: number | null
  /** The position to resume from after the last line. */
  readonly next: Position
  /** The size of all lines together. */
  readonly byteLength: number
  /** All lines back to back. May be a view of a block, as `Entry.line` is: keep a copy. */
  bytes(): Uint8Array
  /** Lines `from` to `to` (exclusive, default the end), counted from 0 in this batch. */
  slice(from: number, to?: number): Batch
}
