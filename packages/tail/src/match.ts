import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { codeOf, isMissing, reasonOf } from './errors.ts'
import { describe, type FoundFile } from './listing.ts'
import { isSameMark, type Mark, START, type StoredMark } from './mark.ts'
import { packingOf } from './names.ts'
import { canUnpack, PackedFile, trailerOf } from './packed.ts'
import { PlainFile } from './plain.ts'
import type { Source } from './source.ts'

/** A file that may hold lines of the log, and cannot be read now. */
export class Unreadable extends Error {
  readonly path: string
  readonly reason: string
  /** It is packed, and its end may be still to come. */
  readonly isPacking: boolean

  constructor(path: string, reason: string, cause?: unknown) {
    super(`${path}: ${reason}`, { cause })
    this.path = path
    this.reason = reason
    this.isPacking = codeOf(cause).startsWith('Z_') || codeOf(cause).startsWith('ZSTD_')
  }
}

/** The files were renamed since they were listed: look again. */
export class Renamed extends Error {}

/** The content of a file, and how far it is known. */
export interface Opened {
  readonly content: PlainFile | PackedFile
  readonly mark: Mark
}

/**
 * Opens `file` after the bytes that `stored` identifies, each of them checked; null if it has other bytes.
 *
 * @throws Unreadable, Renamed
 */
export async function openAfter(file: FoundFile, stored: StoredMark): Promise<Opened | null> {
  const content = await openContent(file)
  if (content === null) return null
  try {
    const mark = await orUnreadable(file, () =>
      content instanceof PlainFile
        ? content.scan(stored.offset, { head: stored.head })
        : content.skip(stored.offset, stored.head)
    )
    if (isSameMark(mark, stored)) return { content, mark }
  } catch (error) {
    await content.close()
    throw error
  }
  await content.close()
  return null
}

/** Opens a file at its start; null if it is packed in a way that cannot be read. Throws Unreadable, Renamed. */
export async function openContent(file: FoundFile): Promise<PlainFile | PackedFile | null> {
  const packing = packingOf(file.path)
  if (packing === null) return new PlainFile(file.path, await openFile(file))
  return canUnpack(packing) ? new PackedFile(await openFile(file), packing) : null
}

/**
 * Whether `file` has the content of the open file of `source`: plain, it begins with everything that is in there; packed, it has nothing
 * else than the beginning of that.
 *
 * @throws Unreadable, Renamed
 */
export async function isCopyOf(file: FoundFile, source: Source): Promise<boolean> {
  const { content, mark } = source
  if (!(content instanceof PlainFile)) return false
  const end = await content.scan(Number.POSITIVE_INFINITY, { from: mark })
  if (end.offset === 0) return false
  const packing = packingOf(file.path)
  if (packing === null) return isSameMark(await markOf(file, end.offset, end.head), end)
  if (packing === 'gzip') {
    // one CRC over the open file instead of unpacking the other
    const { crc, length } = await gzipTrailer(file)
    for (let at = length; length > 0 && at <= end.offset; at += 2 ** 32)
      if ((await content.scan(at)).crc === crc) return true
  }
  const unpacked = await markOf(file, end.offset + 1, end.head)
  return unpacked.offset > 0 && isSameMark(await content.scan(unpacked.offset), unpacked)
}

/** Whether a plain file has nothing else than `other` begins with. Throws Unreadable, Renamed. */
export async function isBeginningOf(file: FoundFile, other: FoundFile): Promise<boolean> {
  await using handle = await openFile(file)
  await using whole = await openFile(other)
  const [beginning, all] = [new PlainFile(file.path, handle), new PlainFile(other.path, whole)]
  return isSameMark(await beginning.scan(file.size), await all.scan(file.size))
}

/** Whether `file` has exactly the bytes that `stored` identifies. Throws Unreadable, Renamed. */
export async function hasOnly(file: FoundFile, stored: StoredMark): Promise<boolean> {
  const packing = packingOf(file.path)
  if (packing === null && file.size !== stored.offset) return false
  if (packing === 'gzip') {
    const { crc, length } = await gzipTrailer(file)
    if (crc === stored.crc && length === stored.offset % 2 ** 32) return true
  }
  return isSameMark(await markOf(file, stored.offset + 1, stored.head), stored)
}

/** The mark after what `file` has, at most `length` bytes; earlier if its first bytes are others than those of `head`. */
async function markOf(file: FoundFile, length: number, head: number): Promise<Mark> {
  const content = await openContent(file)
  if (content === null) return START
  try {
    return await orUnreadable(file, () =>
      content instanceof PlainFile ? content.scan(length, { head }) : content.skip(length, head)
    )
  } finally {
    await content.close()
  }
}

async function gzipTrailer(file: FoundFile): Promise<Awaited<ReturnType<typeof trailerOf>>> {
  await using handle = await openFile(file)
  return await trailerOf(handle)
}

async function openFile(file: FoundFile): Promise<FileHandle> {
  // O_NONBLOCK: a named pipe may have replaced the file, and opening it would wait for a writer
  const opening = open(file.path, constants.O_RDONLY | constants.O_NONBLOCK)
  const handle = await opening.catch((error: unknown) => {
    if (isMissing(error)) throw new Renamed(file.path, { cause: error })
    throw new Unreadable(file.path, reasonOf(error), error)
  })
  const stats = await handle.stat({ bigint: true })
  if (describe(file.path, stats).id === file.id) return handle
  await handle.close()
  throw new Renamed(file.path)
}

/** An incomplete packed file is being written: it can be read later. A damaged one never. */
async function orUnreadable<T>(file: FoundFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const unreadable = new Unreadable(file.path, reasonOf(error), error)
    throw unreadable.isPacking ? new Unreadable(file.path, 'incomplete or damaged', error) : unreadable
  }
}
