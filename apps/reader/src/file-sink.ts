import { createHash } from 'node:crypto'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { messageOf } from '@many-cores/cli'
import type { Cursor, Position, Reader } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'
import { type From, resolveBound } from './position.ts'
import type { Sink } from './sink.ts'

export interface FileSinkOptions {
  /** Absolute. */
  readonly path: string
  readonly group: string
  readonly format: Format
  /** Where a new file starts. */
  readonly from: From
  readonly timeout: number
  readonly signal: AbortSignal
}

/** A file that cannot be written, or that this reader must not overwrite. */
class OutputError extends Error {
  override readonly name = 'OutputError'
  readonly code = 'OUTPUT_REFUSED'
}

/** Commit after this many bytes, even within the commit interval. */
const COMMIT_BYTES = 16 * 1024 * 1024

/** The state of the file, committed atomically. */
interface Mark {
  readonly position: Position
  readonly length: number
}

/**
 * A file that gets every line exactly once. After its bytes are synced, its length is committed together with the position
 * in the log. At the start, bytes beyond the committed length are cut off.
 *
 * @throws OutputError for a file that another program, or a reader of another log or store, has written.
 */
export async function openFileSink(reader: Reader, options: FileSinkOptions): Promise<Sink> {
  const { group, format, from, timeout, signal } = options
  const path = await canonicalPath(options.path)
  const cursor = await reader.cursor(cursorName(group, path))
  // before the file is cut: another process may write it
  await cursor.lock()
  const handle = await orOutputError(path, () => open(path, 'a+'))
  try {
    const start = (await restoreFile(handle, path, cursor)) ?? {
      // committed before the first write, so a position is needed: `end` and `-N` move
      position: await resolveBound(reader, from === 'stored' ? 'start' : from, { timeout, signal }),
      length: 0
    }
    let { length } = start
    let committed = length
    const bookmark = new Bookmark<Mark>(async (mark) => {
      await orOutputError(path, () => handle.datasync())
      await cursor.commit(mark.position, { file: path, group, length: mark.length })
      committed = mark.length
    })
    await orOutputError(path, () => syncDirectory(path))
    await bookmark.move(start)
    return {
      from: start.position,
      write: async (batch) => {
        const bytes = format(batch)
        await orOutputError(path, () => handle.appendFile(bytes))
        length += bytes.byteLength
        await bookmark.move({ position: batch.next, length })
        if (length - committed >= COMMIT_BYTES) await bookmark.flush()
      },
      close: async () => {
        try {
          await bookmark.flush()
        } finally {
          await handle.close()
        }
      }
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The name of the cursor of a file. */
function cursorName(group: string, path: string): string {
  return `output-${createHash('sha256').update(`${group}\0${path}`).digest('hex').slice(0, 16)}`
}

/** Restores the file of the last commit; null for a new file, which must be empty. */
async function restoreFile(
  handle: FileHandle,
  path: string,
  { position, state }: Cursor
): Promise<Mark | null> {
  const stat = await handle.stat()
  if (!stat.isFile()) throw new OutputError(`${path}: not a regular file`)
  const length = state?.length
  if (position === null || typeof length !== 'number') {
    if (stat.size === 0) return null
    throw new OutputError(
      `${path}: this reader did not write its ${stat.size} bytes for this log and group; use a new or an empty file`
    )
  }
  if (stat.size < length) {
    throw new OutputError(
      `${path}: ${stat.size} bytes, but ${length} were committed; use a new file, or remove the cursor with: reader cursors --remove`
    )
  }
  if (stat.size > length) await orOutputError(path, () => handle.truncate(length))
  return { position, length }
}

/** The path of the file with symbolic links resolved. */
async function canonicalPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    // a new file: its directory must exist
    return join(await orOutputError(path, () => realpath(dirname(path))), basename(path))
  }
}

/** Makes the name of a new file durable. */
async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(dirname(path))
  await directory.sync()
}

async function orOutputError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new OutputError(`${path}: cannot write: ${messageOf(error)}`, { cause: error })
  }
}
