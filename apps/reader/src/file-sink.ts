import { createHash } from 'node:crypto'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Cursor, Position, Reader } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'
import type { From } from './position.ts'
import type { Sink } from './sink.ts'

export interface FileSinkOptions {
  /** Absolute. */
  readonly path: string
  readonly group: string
  readonly format: Format
  /** Where a new file begins. */
  readonly from: From
  readonly timeout: number
  readonly signal: AbortSignal
}

/** A file that cannot be written, or is not ours to be written. */
export class OutputError extends Error {
  override readonly name = 'OutputError'
  readonly code = 'OUTPUT_REFUSED'
}

/** So much is written before it is committed, however fast it came. */
const COMMIT_BYTES = 16 * 1024 * 1024

/** How far the file has come: what is committed together. */
interface Mark {
  readonly position: Position
  readonly length: number
}

/**
 * A file that gets every line exactly once: its length is committed together with the position in the log, after its bytes are
 * on the disk; what stands behind that length at the start was not committed, and is cut off.
 *
 * @throws OutputError for a file that another program, or a reader of another log or store, has written.
 */
export async function openFileSink(reader: Reader, options: FileSinkOptions): Promise<Sink> {
  const { group, format } = options
  const path = await canonical(options.path)
  const cursor = await reader.cursor(cursorName(group, path))
  const handle = await refusing(path, () => open(path, 'a+'))
  try {
    const begin = (await settle(handle, path, cursor)) ?? {
      position: await beginning(reader, options),
      length: 0
    }
    let { length } = begin
    let committed = length
    const bookmark = new Bookmark<Mark>(async (mark) => {
      await refusing(path, () => handle.datasync())
      await cursor.commit(mark.position, { file: path, group, length: mark.length })
      committed = mark.length
    })
    await refusing(path, () => syncDirectory(path))
    await bookmark.move(begin)
    return {
      from: begin.position,
      take: async (batch) => {
        const bytes = format(batch)
        await refusing(path, () => handle.appendFile(bytes))
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

/** The name of the cursor that such a file has for itself. */
function cursorName(group: string, path: string): string {
  return `output-${createHash('sha256').update(`${group}\0${path}`).digest('hex').slice(0, 16)}`
}

/** The file as it was when the last mark was committed; null for a new one, which must be empty. */
async function settle(handle: FileHandle, path: string, { position, state }: Cursor): Promise<Mark | null> {
  const stat = await handle.stat()
  if (!stat.isFile())
    throw new OutputError(`${path}: it is no plain file, so it cannot be cut back and continued`)
  const length = state?.length
  if (position === null || typeof length !== 'number') {
    if (stat.size === 0) return null
    throw new OutputError(
      `${path}: it has ${stat.size} bytes that this reader did not write for this log and group; name a new or an empty file`
    )
  }
  if (stat.size < length) {
    throw new OutputError(
      `${path}: it has ${stat.size} bytes, fewer than the ${length} that were committed; name a new file, or forget this one with: reader cursors --remove`
    )
  }
  if (stat.size > length) await refusing(path, () => handle.truncate(length))
  return { position, length }
}

/** The first mark is committed before anything is written, so it is a fixed position, not `the last ten`. */
async function beginning(reader: Reader, { from, timeout, signal }: FileSinkOptions): Promise<Position> {
  if (from === 'stored' || from === 'start') return reader.manifest.version === 1 ? 0 : {}
  if (from === 'end') return await reader.length({ timeout, signal })
  if (typeof from === 'object' && 'time' in from) return await reader.find(from.time, { timeout, signal })
  if (typeof from !== 'number' || from >= 0) return from
  return Math.max(0, (await reader.length({ timeout, signal })) + from)
}

/** The path that the file has whichever way it is named. */
async function canonical(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    // not there yet: its directory must be
    return join(await refusing(path, () => realpath(dirname(path))), basename(path))
  }
}

/** A new file's name is on the disk only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(dirname(path))
  await directory.sync()
}

async function refusing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new OutputError(
      `${path}: it cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error
      }
    )
  }
}
