import type { Batch, Bound, Cursor, Position } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'

/** A destination of lines that remembers its position. */
export interface Sink {
  /** Where to start reading. */
  readonly from: Bound
  /** Resolves when the destination has accepted the lines. */
  write(batch: Batch): Promise<void>
  /** Commits the position. */
  close(): Promise<void>
}

/** Lines per write: after `kill -9` in the middle of a write, at most these are delivered again. */
const SLICE_LINES = 1000

/** Bytes per write, approximately: new lines arrive in between. */
const SLICE_BYTES = 1024 * 1024

/**
 * With less space for the store, each write is committed before the next one: if the commit fails, only the lines of one
 * write are delivered again. No disk loses this much space between two commits.
 */
const SCARCE_BYTES = 256 * 1024 * 1024

interface StdoutSinkOptions {
  readonly cursor: Pick<Cursor, 'position' | 'commit'>
  readonly from: Bound | 'stored'
  /** The free space for the store, in bytes. */
  readonly space: () => Promise<number>
  readonly signal: AbortSignal
  /** Called after each write, before the position is committed. */
  readonly onDelivered: (position: Position) => void
}

/** Standard output. `from` overrides the cursor. */
export function createStdoutSink(
  print: (bytes: Uint8Array) => Promise<void>,
  format: Format,
  { cursor, from, space, signal, onDelivered }: StdoutSinkOptions
): Sink {
  let isScarce = true
  const bookmark = new Bookmark<{ readonly position: Position }>(async ({ position }) => {
    await cursor.commit(position)
    isScarce = (await space()) < SCARCE_BYTES
  })
  return {
    from: from === 'stored' ? (cursor.position ?? 'start') : from,
    write: async (batch) => {
      const lines = Math.min(SLICE_LINES, Math.ceil((SLICE_BYTES * batch.count) / batch.byteLength))
      for (let first = 0; first < batch.count; first += lines) {
        // a batch can be 16 MiB, and the reader of standard output slow
        if (signal.aborted) return
        const slice = batch.slice(first, Math.min(batch.count, first + lines))
        await print(format(slice))
        onDelivered(slice.next)
        await bookmark.move({ position: slice.next })
        if (isScarce) await bookmark.flush()
      }
    },
    close: () => bookmark.flush()
  }
}
