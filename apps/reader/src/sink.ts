import type { Batch, Bound, Cursor, Place } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'

/** Where lines are delivered, and how far that has come. */
export interface Sink {
  /** Where to begin, where the user names no other place. */
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

interface StdoutSinkOptions {
  readonly cursor: Cursor
  readonly from: Bound | 'stored'
  readonly signal: AbortSignal
  /** Hears of what is printed, whether it can be remembered or not. */
  readonly ondelivered: (place: Place) => void
}

/** Standard output. `from` beats the cursor, which says how far was delivered. */
export function createStdoutSink(
  print: (bytes: Uint8Array) => Promise<void>,
  format: Format,
  { cursor, from, signal, ondelivered }: StdoutSinkOptions
): Sink {
  const bookmark = new Bookmark<{ readonly place: Place }>(({ place }) => cursor.commit(place))
  return {
    from: from === 'stored' ? (cursor.place ?? 'start') : from,
    take: async (batch) => {
      const lines = Math.min(SLICE_LINES, Math.ceil((SLICE_BYTES * batch.count) / batch.byteLength))
      for (let first = 0; first < batch.count; first += lines) {
        // a batch may be 16 MiB, and whoever reads us slow
        if (signal.aborted) return
        const slice = batch.slice(first, Math.min(batch.count, first + lines))
        await print(format(slice))
        ondelivered(slice.next)
        await bookmark.move({ place: slice.next })
      }
    },
    close: () => bookmark.flush()
  }
}
