import type { Batch, Bound, Cursor, Position } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'

/** Where lines are delivered, and how far that has come. */
export interface Sink {
  /** Where to begin, where the user names no other position. */
  readonly from: Bound
  /** Resolves when the lines have been accepted. */
  take(batch: Batch): Promise<void>
  /** Remembers what was taken. */
  close(): Promise<void>
}

/** Lines that are printed in one go: after `kill -9` in the midst of it, at most so many come again. */
const SLICE_LINES = 1000

/** About so much is printed in one go: more comes in meanwhile. */
const SLICE_BYTES = 1024 * 1024

/**
 * With less space for the store, each go is committed before the next: a commit that then fails leaves no more lines to come
 * again than one go has. No disk loses so much in the time between two commits.
 */
const SCARCE_BYTES = 256 * 1024 * 1024

interface StdoutSinkOptions {
  readonly cursor: Cursor
  readonly from: Bound | 'stored'
  /** How many bytes are left for the store. */
  readonly space: () => Promise<number>
  readonly signal: AbortSignal
  /** Hears of what is printed, whether it can be remembered or not. */
  readonly ondelivered: (position: Position) => void
}

/** Standard output. `from` beats the cursor, which says how far was delivered. */
export function createStdoutSink(
  print: (bytes: Uint8Array) => Promise<void>,
  format: Format,
  { cursor, from, space, signal, ondelivered }: StdoutSinkOptions
): Sink {
  let isScarce = true
  const bookmark = new Bookmark<{ readonly position: Position }>(async ({ position }) => {
    await cursor.commit(position)
    isScarce = (await space()) < SCARCE_BYTES
  })
  return {
    from: from === 'stored' ? (cursor.position ?? 'start') : from,
    take: async (batch) => {
      const lines = Math.min(SLICE_LINES, Math.ceil((SLICE_BYTES * batch.count) / batch.byteLength))
      for (let first = 0; first < batch.count; first += lines) {
        // a batch may be 16 MiB, and whoever reads us slow
        if (signal.aborted) return
        const slice = batch.slice(first, Math.min(batch.count, first + lines))
        await print(format(slice))
        ondelivered(slice.next)
        await bookmark.move({ position: slice.next })
        if (isScarce) await bookmark.flush()
      }
    },
    close: () => bookmark.flush()
  }
}
