import { stat } from 'node:fs/promises'
import { codeOf, plural, type Status, UsageError } from '@many-cores/cli'
import type { Progress, Writer } from '@many-cores/node'
import { MAX_LINE_BYTES, ProtocolError } from '@many-cores/protocol'
import { checkpointName, decodePosition, encodePosition } from './file-position.ts'
import { isSameFile, statFile } from './listing.ts'
import { hasLater, locate, openLater } from './locate.ts'
import { SourceFile } from './source-file.ts'
import { Wakeup } from './wakeup.ts'

interface FileOptions {
  /** Whether to stop at the end of the file. */
  readonly exit: boolean
  readonly status: Status
  readonly signal: AbortSignal
}

/**
 * Publishes the lines of the file at `path` until `signal` is aborted or, with `exit`, the end of the file. Resumes where it
 * stopped the last time. The file may grow, be rotated, or not exist yet.
 *
 * @throws UsageError if it is missing with `exit`; ProtocolError `LINE_TOO_LONG`.
 */
export async function publishFile(
  writer: Writer,
  path: string,
  options: FileOptions
): Promise<{ readonly count: number }> {
  await using input = new FileInput(writer, path, options)
  return { count: await input.publish() }
}

class FileInput {
  readonly #writer: Writer
  readonly #path: string
  readonly #options: FileOptions
  readonly #wakeup: Wakeup
  #file: SourceFile | null = null

  constructor(writer: Writer, path: string, options: FileOptions) {
    this.#writer = writer
    this.#path = path
    this.#options = options
    this.#wakeup = new Wakeup(path)
  }

  async publish(): Promise<number> {
    await this.#wakeup.open()
    let count = 0
    this.#file = await this.#first()
    while (this.#file !== null) {
      this.#options.status.state(`following ${this.#path}`)
      count += await this.#publishOne(this.#file)
      await this.#switchTo(await this.#next(this.#file))
    }
    return count
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wakeup.close()
    await this.#switchTo(null)
  }

  async #switchTo(file: SourceFile | null): Promise<void> {
    const before = this.#file
    this.#file = file
    await before?.close()
  }

  /** The file at the stored position, or the current file at its start. */
  async #first(): Promise<SourceFile | null> {
    const stored = await this.#writer.checkpoint(checkpointName(this.#path))
    if (stored === null) return this.#fromStart()
    const position = decodePosition(stored)
    const { offset, size } = position
    const file = await locate(this.#path, position)
    if (file !== null) {
      this.#options.status.note(`${file.path}: resuming at byte ${offset}`)
      return file
    }
    const lost = size > offset ? `, with at least ${unpublished(size - offset)}` : ''
    this.#options.status.note(
      `${this.#path}: the file that was published up to byte ${offset} is gone${lost}; starting with the current file`
    )
    return this.#fromStart()
  }

  async #fromStart(): Promise<SourceFile | null> {
    const { exit, signal, status } = this.#options
    while (!signal.aborted) {
      const file = await SourceFile.open(this.#path)
      if (file !== null) return file
      if (exit) throw missing(this.#path)
      status.state(`waiting for ${this.#path}: it does not exist yet`)
      await this.#wakeup.next(signal)
    }
    return null
  }

  /** The file after one that has been read to its end; null at the end of the input. */
  async #next(file: SourceFile): Promise<SourceFile | null> {
    const { exit, signal, status } = this.#options
    while (!signal.aborted) {
      const next = file.isTruncated ? await SourceFile.open(this.#path) : await openLater(this.#path, file)
      if (next !== null) {
        status.detail(`continuing with ${next.path}`)
        return next
      }
      if (exit) return null
      await this.#wakeup.next(signal)
    }
    return null
  }

  async #publishOne(file: SourceFile): Promise<number> {
    const start = file.offset
    let reached = start
    const at = ({ bytes, last }: Progress): string => {
      reached = start + bytes
      return encodePosition((this.#file ?? file).positionAt(reached, last))
    }
    const checkpoint = { name: checkpointName(this.#path), at }
    try {
      const { signal } = this.#options
      const { count } = await this.#writer.publishBytes(this.#chunks(file), { signal, checkpoint })
      return count
    } catch (error) {
      if (codeOf(error) !== 'LINE_TOO_LONG') throw error
      const text = `${file.path}: the line at byte ${reached} is longer than ${MAX_LINE_BYTES} bytes; lines from there on are not published`
      throw new ProtocolError('LINE_TOO_LONG', text, { cause: error })
    }
  }

  /** The bytes of `file` from its offset on, until another file follows it. */
  async *#chunks(file: SourceFile): AsyncGenerator<Uint8Array> {
    const { exit, signal } = this.#options
    for (let current = file; !signal.aborted; ) {
      // checked before reading: when a later file has content, this one is complete
      const isOver = await this.#isFollowed(current)
      for (let chunk = await current.read(); chunk !== null; chunk = await current.read()) {
        yield chunk
        if (signal.aborted) return
      }
      if (current.isTruncated) {
        const copy = await this.#copyOf(current)
        if (copy === null) return
        current = copy
        continue
      }
      if (isOver || exit) return
      await this.#wakeup.next(signal)
    }
  }

  async #isFollowed(file: SourceFile): Promise<boolean> {
    const current = await statFile(this.#path)
    if (current !== null && isSameFile(current, file)) return false
    return hasLater(this.#path, file)
  }

  /** After a rotation by copying, the copy has the rest of the file that was cut off. */
  async #copyOf(file: SourceFile): Promise<SourceFile | null> {
    const copy = await locate(this.#path, file.position)
    if (copy !== null) {
      copy.isOnlyCopy = true
      await this.#switchTo(copy)
      return copy
    }
    const lost = file.unread > 0 ? `, losing at least ${unpublished(file.unread)}` : ''
    this.#options.status.note(`${this.#path} was truncated${lost}; reading it from its start`)
    return null
  }
}

/** Throws UsageError for a path that is not a regular file, or is missing although it `mustExist`. */
export async function checkInput(path: string, mustExist: boolean): Promise<void> {
  const file = await stat(path).catch(() => null)
  if (file === null && mustExist) throw missing(path)
  if (file === null || file.isFile()) return
  throw new UsageError(`--input: ${path} is not a regular file; use: writer < ${path}`)
}

function missing(path: string): UsageError {
  return new UsageError(`--input: ${path} does not exist; without --exit, the writer waits for it`)
}

function unpublished(bytes: number): string {
  return `${bytes} unpublished ${plural(bytes, 'byte')}`
}
