import { type BigIntStats, constants, fstatSync, statSync } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import { codeOf, messageOf } from '@many-cores/cli'
import { tryLock } from 'fs-native-extensions'

/** A file that cannot be written, or that this reader must not overwrite; or that another reader writes. */
export class OutputError extends Error {
  override readonly name = 'OutputError'
  readonly code: 'OUTPUT_REFUSED' | 'OUTPUT_IN_USE'

  constructor(path: string, fault: string, { code = 'OUTPUT_REFUSED', cause }: OutputErrorOptions = {}) {
    super(`${path}: ${fault}`, { cause })
    this.code = code
  }
}

interface OutputErrorOptions extends ErrorOptions {
  readonly code?: OutputError['code']
}

/** What was written: the number of bytes, and their CRC-32. */
export interface Written {
  readonly length: number
  readonly crc: number
}

/** Identifies a version of a file: its inode, and when that changed last, in ns. A program cannot set this time back. */
export interface Stamp {
  readonly ino: string
  readonly ctime: string
}

/** What to do about a file that was changed. */
function remedyOf(cursor: string): string {
  return `Restore it, or use another file; to begin it again, remove its cursor: reader cursors --remove ${cursor} KEY`
}

/** A byte far behind the content: on Windows, a locked range cannot be read. */
const LOCK_OFFSET = 2 ** 48

const CHUNK_BYTES = 1024 * 1024

/** Symbolic links that are followed, as in Linux. */
const MAX_LINKS = 40

interface OutputFileOptions {
  /** Whether this reader has written it before: then it must exist. */
  readonly isBegun: boolean
  /** The name of its cursor, for messages. */
  readonly cursor: string
  /** Reports that it cannot be locked. */
  readonly note: (text: string) => void
}

/**
 * A file that this process alone writes, locked while it is open. A change by another program is an OutputError, and nothing
 * more is written.
 */
export class OutputFile {
  readonly path: string
  readonly #handle: FileHandle
  readonly #cursor: string
  #written: Written = { length: 0, crc: 0 }
  /** After the last write, in ns. */
  #mtime = 0n
  #isWriting = false

  /** Opens the file; unless `isBegun`, creates it if it is missing. */
  static async open(path: string, { isBegun, cursor, note }: OutputFileOptions): Promise<OutputFile> {
    const flags = constants.O_RDWR | constants.O_APPEND | (isBegun ? 0 : constants.O_CREAT)
    const handle = await open(path, flags).catch((error: unknown) => {
      const fault =
        codeOf(error) === 'ENOENT'
          ? `this reader wrote it, and it is gone. ${remedyOf(cursor)}`
          : cannotWrite(error)
      throw new OutputError(path, fault, { cause: error })
    })
    try {
      if (!(await handle.stat()).isFile()) throw new OutputError(path, 'not a regular file')
      lock(handle, path, note)
      return new OutputFile(path, handle, cursor)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  private constructor(path: string, handle: FileHandle, cursor: string) {
    this.path = path
    this.#cursor = cursor
    this.#handle = handle
  }

  get written(): Written {
    return this.#written
  }

  /** Takes over an empty file. */
  begin(): void {
    const { size, mtimeNs } = this.#stat()
    if (size > 0)
      throw new OutputError(
        this.path,
        `this reader did not write its ${size} bytes for this log and group; use a new or an empty file`
      )
    this.#mtime = mtimeNs
  }

  /** Checks that the file begins with `written`, and cuts off the rest. Resolves to the number of bytes cut off. */
  async restore(written: Written, { ino, ctime }: Stamp, signal: AbortSignal): Promise<number> {
    const stat = this.#stat()
    if (stat.size < written.length)
      throw this.#changed(`it has ${stat.size} bytes, but this reader wrote ${written.length}`)
    const rest = Number(stat.size) - written.length
    this.#written = written
    const isUnchanged = String(stat.ino) === ino && String(stat.ctimeNs) === ctime
    if (rest > 0 || !isUnchanged) await this.#verify(signal)
    if (rest > 0) await orOutputError(this.path, () => this.#handle.truncate(written.length))
    this.#mtime = rest > 0 ? this.#stat().mtimeNs : stat.mtimeNs
    return rest
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#check()
    this.#isWriting = true
    await orOutputError(this.path, () => this.#handle.appendFile(bytes))
    this.#written = {
      length: this.#written.length + bytes.byteLength,
      crc: crc32(bytes, this.#written.crc)
    }
    this.#mtime = this.#stat().mtimeNs
    this.#isWriting = false
  }

  /** Makes everything that was written durable. */
  async sync(): Promise<Stamp> {
    await orOutputError(this.path, () => this.#handle.datasync())
    const { ino, ctimeNs } = await this.#check()
    return { ino: String(ino), ctime: String(ctimeNs) }
  }

  /** Makes the name of a new file durable. */
  async syncDirectory(): Promise<void> {
    await orOutputError(this.path, async () => {
      await using directory = await open(dirname(this.path))
      await directory.sync()
    })
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  /** Checks that the file still has its name, and has what was written. */
  async #check(): Promise<BigIntStats> {
    const { length } = this.#written
    const stat = this.#stat()
    const named = statSync(this.path, { bigint: true, throwIfNoEntry: false })
    if (named?.ino !== stat.ino || named.dev !== stat.dev)
      throw new OutputError(
        this.path,
        'it was moved, deleted or replaced while this reader wrote it. Move it back, or use another file'
      )
    if (stat.size < length) throw this.#changed(`it was truncated from ${length} to ${stat.size} bytes`)
    // during a write, the size and the time are those of some part of it
    if (this.#isWriting) return stat
    if (stat.size > length)
      throw this.#changed(`another program wrote ${stat.size - BigInt(length)} bytes to it`)
    if (stat.mtimeNs !== this.#mtime) {
      await this.#verify()
      this.#mtime = stat.mtimeNs
    }
    return stat
  }

  /** Compares the content with the checksum. */
  async #verify(signal?: AbortSignal): Promise<void> {
    const { length, crc } = this.#written
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length))
    let found = 0
    for (let at = 0; at < length; ) {
      signal?.throwIfAborted()
      const limit = Math.min(chunk.byteLength, length - at)
      const { bytesRead } = await orOutputError(this.path, () => this.#handle.read(chunk, 0, limit, at))
      if (bytesRead === 0) break
      found = crc32(chunk.subarray(0, bytesRead), found)
      at += bytesRead
    }
    if (found !== crc) throw this.#changed(`its first ${length} bytes are not what this reader wrote`)
  }

  #stat(): BigIntStats {
    return fstatSync(this.#handle.fd, { bigint: true })
  }

  #changed(fault: string): OutputError {
    return new OutputError(this.path, `${fault}. ${remedyOf(this.#cursor)}`)
  }
}

/** The path of a file with symbolic links resolved, whether or not the file exists. */
export async function canonicalPath(path: string): Promise<string> {
  return await orOutputError(path, async () => {
    let target = path
    for (let links = 0; links < MAX_LINKS; links++) {
      // the directory must exist
      target = join(await realpath(dirname(target)), basename(target))
      const stat = await lstat(target).catch(ignoreMissing)
      if (stat?.isSymbolicLink() !== true) return target
      target = resolve(dirname(target), await readlink(target))
    }
    throw new Error('too many symbolic links')
  })
}

function ignoreMissing(error: unknown): null {
  if (codeOf(error) === 'ENOENT') return null
  throw error
}

function lock(handle: FileHandle, path: string, note: (text: string) => void): void {
  let isLocked: boolean
  try {
    isLocked = tryLock(handle.fd, LOCK_OFFSET, 1)
  } catch (error) {
    note(`${path}: cannot be locked (${messageOf(error)}): make sure that no other reader writes it`)
    return
  }
  if (!isLocked)
    throw new OutputError(path, 'another reader writes it. Stop that one, or use another file', {
      code: 'OUTPUT_IN_USE'
    })
}

async function orOutputError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new OutputError(path, cannotWrite(error), { cause: error })
  }
}

function cannotWrite(error: unknown): string {
  return `cannot write: ${messageOf(error)}`
}
