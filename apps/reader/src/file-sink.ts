import { createHash } from 'node:crypto'
import { grouped, UsageError } from '@many-cores/cli'
import type { Cursor, Position, Reader } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import type { Format } from './format.ts'
import { canonicalPath, OutputFile, type Stamp, type Written } from './output-file.ts'
import { type From, resolveBound } from './position.ts'
import type { Sink } from './sink.ts'

export interface FileSinkOptions {
  /** Absolute. */
  readonly path: string
  readonly group: string
  readonly format: Format
  /** What a later run must have in common: the form of a line, and the cores. */
  readonly content: Content
  /** Where a new file starts. */
  readonly from: From
  /** The cores to read. Default: all. */
  readonly cores: readonly string[] | undefined
  readonly note: (text: string) => void
  readonly timeout: number
  readonly signal: AbortSignal
}

/** What a file was begun with, in words. */
export interface Content {
  readonly format: string
  readonly cores: string
}

/** Commit after this many bytes, even within the commit interval. */
const COMMIT_BYTES = 16 * 1024 * 1024

/** A point up to which lines were written. */
interface Mark extends Written {
  readonly position: Position
}

/** The state of the file at the last commit. */
interface Begun extends Mark, Stamp, Content {}

/**
 * A file that gets every line exactly once. After its bytes are synced, its length and checksum are committed together with
 * the position in the log. At the start, bytes beyond the committed length are cut off.
 *
 * @throws OutputError for a file that another program, or a reader of another log or store, has written, writes or changes.
 */
export async function openFileSink(reader: Reader, options: FileSinkOptions): Promise<Sink> {
  const { group, format, content, note } = options
  const path = await canonicalPath(options.path)
  const cursor = await reader.cursor(cursorName(group, path))
  const begun = begunOf(cursor)
  if (begun !== null) checkContent(path, begun, content)
  const file = await OutputFile.open(path, { isBegun: begun !== null, cursor: cursor.name, note })
  try {
    const start =
      begun === null ? await beginFile(reader, file, options) : await restoreFile(file, begun, options)
    let committed = start.length
    const bookmark = new Bookmark<Mark>(async ({ position, length, crc }) => {
      const stamp = await file.sync()
      await cursor.commit(position, { file: path, group, ...content, length, crc, ...stamp })
      committed = length
    })
    await file.syncDirectory()
    await bookmark.move(start)
    return {
      from: start.position,
      isResumed: begun !== null,
      write: async (batch) => {
        await file.write(format(batch))
        await bookmark.move({ position: batch.next, ...file.written })
        if (file.written.length - committed >= COMMIT_BYTES) await bookmark.flush()
      },
      close: async () => {
        try {
          await bookmark.flush()
        } finally {
          await file.close()
        }
      }
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The name of the cursor of a file. */
function cursorName(group: string, path: string): string {
  return `output-${createHash('sha256').update(`${group}\0${path}`).digest('hex').slice(0, 16)}`
}

/** The state of a file that was begun before; null for a new one. */
function begunOf({ position, state }: Cursor): Begun | null {
  if (position === null || state === null) return null
  const { length, crc, ino, ctime, format, cores } = state
  if (typeof length !== 'number' || typeof crc !== 'number') return null
  return { position, length, crc, ino: `${ino}`, ctime: `${ctime}`, format: `${format}`, cores: `${cores}` }
}

/** Lines in another form, or of other cores, would be mixed with those in the file, or left out. */
function checkContent(path: string, begun: Content, now: Content): void {
  if (begun.format === now.format && begun.cores === now.cores) return
  throw new UsageError(
    `${path} was begun with ${begun.format} and ${begun.cores}, and now is ${now.format} and ${now.cores}: use the same options, or another file`
  )
}

async function beginFile(
  reader: Reader,
  file: OutputFile,
  { from, cores, timeout, signal }: FileSinkOptions
): Promise<Mark> {
  file.begin()
  // committed before the first write, so a position is needed: `end` and `-N` move
  const bound = from === 'stored' ? 'start' : from
  return { position: await resolveBound(reader, bound, { cores, timeout, signal }), ...file.written }
}

async function restoreFile(
  file: OutputFile,
  begun: Begun,
  { from, note, signal }: FileSinkOptions
): Promise<Mark> {
  const rest = await file.restore({ length: begun.length, crc: begun.crc }, begun, signal)
  if (rest > 0) note(`${file.path}: cut off the last ${grouped(rest)} bytes, which were not complete`)
  if (from !== 'stored') note(`${file.path} was begun before: --from, --tail and --since apply to a new file`)
  return { position: begun.position, ...file.written }
}
