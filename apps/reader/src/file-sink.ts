import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Batch, Cursor, Place, Reader } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'
import type { From } from './place.ts'
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
  readonly place: Place
  readonly length: number
}

/**
 * A file that gets every line exactly once: its length is committed together with the place in the log, after its bytes are
 * on the disk; what stands behind that length at the start was not committed, and is cut off.
 *
 * @throws OutputError for a file that another program, or a reader of another log or store, has written.
 */
export async function openFileSink(reader: Reader, options: FileSinkOptions): Promise<Sink> {
  const path = await canonical(options.path)
  const cursor = await reader.cursor(cursorName(options.group, path))
  const handle = await refusing(path, () => open(path, constants.O_RDWR | constants.O_CREAT, 0o666))
  try {
    const mark = await settle(handle, path, cursor, async () => ({
      place: await beginning(reader, options),
      length: 0
    }))
    const commit = (next: Mark): Promise<void> =>
      commitMark(cursor, next, { file: path, group: options.group })
    await refusing(path, () => syncDirectory(path))
    await commit(mark)
    return new FileSink(handle, path, options.format, mark, commit)
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The name of the cursor that such a file has for itself. */
function cursorName(group: string, path: string): string {
  return `output-${createHash('sha256').update(`${group}\0${path}`).digest('hex').slice(0, 16)}`
}

class FileSink implements Sink {
  readonly from: Place
  readonly #handle: FileHandle
  readonly #path: string
  readonly #format: Format
  readonly #bookmark: Bookmark<Mark>
  #length: number
  #committed: number

  constructor(
    handle: FileHandle,
    path: string,
    format: Format,
    mark: Mark,
    commit: (mark: Mark) => Promise<void>
  ) {
    this.from = mark.place
    this.#handle = handle
    this.#path = path
    this.#format = format
    this.#length = mark.length
    this.#committed = mark.length
    this.#bookmark = new Bookmark(async (next) => {
      await refusing(path, () => handle.datasync())
      await commit(next)
      this.#committed = next.length
    })
  }

  async take(batch: Batch): Promise<void> {
    await this.#write(this.#format(batch))
    await this.#bookmark.move({ place: batch.next, length: this.#length })
    if (this.#length - this.#committed >= COMMIT_BYTES) await this.#bookmark.flush()
  }

  async close(): Promise<void> {
    try {
      await this.#bookmark.flush()
    } finally {
      await this.#handle.close()
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.byteLength; ) {
      const left = bytes.byteLength - from
      const { bytesWritten } = await refusing(this.#path, () =>
        this.#handle.write(bytes, from, left, this.#length)
      )
      from += bytesWritten
      this.#length += bytesWritten
    }
  }
}

/** The file as it was when the last mark was committed; a new one, which must be empty, gets its first mark. */
async function settle(
  handle: FileHandle,
  path: string,
  { place, state }: Cursor,
  begin: () => Promise<Mark>
): Promise<Mark> {
  const stat = await handle.stat()
  if (!stat.isFile())
    throw new OutputError(`${path}: it is no plain file, so it cannot be cut back and continued`)
  const length = state?.length
  if (place === null || typeof length !== 'number') {
    if (stat.size === 0) return await begin()
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
  return { place, length }
}

/** The first mark is committed before anything is written, so it is a place that stays: a position, not `the last ten`. */
async function beginning(reader: Reader, { from, timeout, signal }: FileSinkOptions): Promise<Place> {
  if (from === 'stored' || from === 'start') return reader.manifest.version === 1 ? 0 : {}
  if (from === 'end') return await reader.length({ timeout, signal })
  if (typeof from === 'object' && 'time' in from) return await reader.find(from.time, { timeout, signal })
  if (typeof from !== 'number' || from >= 0) return from
  return Math.max(0, (await reader.length({ timeout, signal })) + from)
}

async function commitMark(
  cursor: Cursor,
  { place, length }: Mark,
  names: { readonly file: string; readonly group: string }
): Promise<void> {
  await cursor.commit(place, { ...names, length })
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
  const directory = await open(dirname(path), constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
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
