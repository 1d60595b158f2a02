import { codeOf } from '@many-cores/cli'
import type { Batch, Bound, Cursor, CursorState, Position } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'

/** A destination of lines that remembers its position. */
export interface Sink {
  /** Where to start reading. */
  readonly from: Bound
  /** Whether `from` is where an earlier run stopped. */
  readonly isResumed: boolean
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

/** A pipe or a socket holds at most this many bytes that its reader has not read. */
const PIPE_BYTES = 256 * 1024

/** A write to a pipe or a socket whose reader has closed it. */
const GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET'])

interface StdoutSinkOptions {
  /** The cursor that moves. Null: none. */
  readonly cursor: Cursor | null
  /** Committed with each position. */
  readonly state: CursorState
  readonly from: Bound
  readonly isResumed: boolean
  /** The free space for the store, in bytes. */
  readonly space: () => Promise<number>
  readonly signal: AbortSignal
  /** Called after each write, before the position is committed. */
  readonly onDelivered: (position: Position) => void
}

/** What was written to a pipe; `end` is the number of bytes up to it. Null: nothing. */
interface Mark {
  readonly position: Position | null
  readonly end: number
}

/** Standard output. */
export function createStdoutSink(
  print: (bytes: Uint8Array) => Promise<void>,
  format: Format,
  { cursor, state, from, isResumed, space, signal, onDelivered }: StdoutSinkOptions
): Sink {
  let isScarce = cursor !== null
  const bookmark = new Bookmark<Mark>(async ({ position }) => {
    if (cursor === null) return
    if (position === null) return await cursor.remove()
    await cursor.commit(position, state)
    isScarce = (await space()) < SCARCE_BYTES
  })
  // the last marks: those within PIPE_BYTES, and one before
  const marks: Mark[] = [{ position: cursor?.position ?? null, end: 0 }]
  let end = 0
  /** What the pipe held when its reader closed it was not read. */
  const goBack = async (): Promise<void> => {
    if (end > 0) await bookmark.move(marks[0] as Mark)
  }
  return {
    from,
    isResumed,
    write: async (batch) => {
      const lines = Math.min(SLICE_LINES, Math.ceil((SLICE_BYTES * batch.count) / batch.byteLength))
      for (let first = 0; first < batch.count; first += lines) {
        // a batch can be 16 MiB, and the reader of standard output slow
        if (signal.aborted) return
        const slice = batch.slice(first, Math.min(batch.count, first + lines))
        const bytes = format(slice)
        try {
          await print(bytes)
        } catch (error) {
          if (GONE.has(codeOf(error))) await goBack()
          throw error
        }
        end += bytes.byteLength
        onDelivered(slice.next)
        const mark = { position: slice.next, end }
        marks.push(mark)
        while ((marks[1] as Mark).end <= end - PIPE_BYTES) marks.shift()
        await bookmark.move(mark)
        if (isScarce) await bookmark.flush()
      }
    },
    close: () => bookmark.flush()
  }
}
