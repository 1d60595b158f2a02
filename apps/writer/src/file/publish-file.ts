import { stat } from 'node:fs/promises'
import { type Status, UsageError } from '@many-cores/cli'
import type { Progress, Writer } from '@many-cores/node'
import { MAX_LINE_BYTES, ProtocolError } from '@many-cores/protocol'
import { isSameFile, lookAt } from './listing.ts'
import { hasLater, locate, openLater } from './locate.ts'
import { checkpointName, decodePlace, encodePlace } from './place.ts'
import { SourceFile } from './source-file.ts'
import { Wakeup } from './wakeup.ts'

export interface FileOptions {
  /** Whether to stop at the end of what is there. */
  readonly exit: boolean
  readonly status: Status
  readonly signal: AbortSignal
}

/**
 * Publishes the lines of the file at `path`, which may grow, be rotated and come later, until `signal` or, with `exit`, its
 * end; from its start the first time, and from there on where the last time ended. Returns how many lines it published.
 *
 * @throws UsageError where it is missing with `exit`; ProtocolError `LINE_TOO_LONG`.
 */
export async function publishFile(writer: Writer, path: string, options: FileOptions): Promise<number> {
  const input = new FileInput(writer, path, options)
  try {
    return await input.publish()
  } finally {
    await input.close()
  }
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
      await this.#turnTo(await this.#next(this.#file))
    }
    return count
  }

  async close(): Promise<void> {
    this.#wakeup.close()
    await this.#turnTo(null)
  }

  async #turnTo(file: SourceFile | null): Promise<void> {
    const before = this.#file
    this.#file = file
    await before?.close()
  }

  /** Where the last time ended, or the start of what is there, or will be. */
  async #first(): Promise<SourceFile | null> {
    const stored = await this.#writer.checkpoint(checkpointName(this.#path))
    if (stored === null) return this.#fromStart()
    const place = decodePlace(stored)
    const { offset, size } = place
    const file = await locate(this.#path, place)
    if (file !== null) {
      this.#options.status.note(`${file.path}: going on at byte ${offset}`)
      return file
    }
    const lost = size > offset ? `, and with it ${size - offset} bytes or more that were not published` : ''
    this.#options.status.note(
      `${this.#path}: the file that was published up to byte ${offset} is gone${lost}; going on with the start of what is there now`
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

  /** What follows a file that has been read to its end; null if that is the end. */
  async #next(file: SourceFile): Promise<SourceFile | null> {
    const { exit, signal, status } = this.#options
    while (!signal.aborted) {
      const next = file.isTruncated ? await SourceFile.open(this.#path) : await openLater(this.#path, file)
      if (next !== null) {
        status.detail(`going on with the start of ${next.path}`)
        return next
      }
      if (exit) return null
      await this.#wakeup.next(signal)
    }
    return null
  }

  async #publishOne(file: SourceFile): Promise<number> {
    const start = file.position
    let reached = start
    const at = ({ bytes, last }: Progress): string => {
      reached = start + bytes
      return encodePlace((this.#file ?? file).placeAt(reached, last))
    }
    const checkpoint = { name: checkpointName(this.#path), at }
    try {
      const { signal } = this.#options
      const { count } = await this.#writer.publishBytes(this.#chunks(file), { signal, checkpoint })
      return count
    } catch (error) {
      throw isTooLong(error) ? tooLong(file.path, reached, error) : error
    }
  }

  /** The bytes of `file` from its position on, until another one follows it. */
  async *#chunks(file: SourceFile): AsyncGenerator<Uint8Array> {
    const { exit, signal } = this.#options
    for (let current = file; !signal.aborted; ) {
      // asked first: whoever writes to a later file has written the last to this one
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
    const here = await lookAt(this.#path)
    if (here !== null && isSameFile(here, file)) return false
    return hasLater(this.#path, file)
  }

  /** Rotated by copying: the rest of what was cut off is in the copy. */
  async #copyOf(file: SourceFile): Promise<SourceFile | null> {
    const copy = await locate(this.#path, file.place)
    if (copy !== null) {
      copy.isOnlyCopy = true
      await this.#turnTo(copy)
      return copy
    }
    const lost = file.unread > 0 ? `, with ${file.unread} bytes or more that were not published` : ''
    this.#options.status.note(`${this.#path} was truncated${lost}; reading it from its start`)
    return null
  }
}

/** Throws UsageError where it is no regular file; where it is missing, only if it `mustExist`. */
export async function checkInput(path: string, mustExist: boolean): Promise<void> {
  const file = await stat(path).catch(() => null)
  if (file === null && mustExist) throw missing(path)
  if (file === null || file.isFile()) return
  throw new UsageError(`--input: ${path} is no regular file; for anything else: writer < ${path}`)
}

function missing(path: string): UsageError {
  return new UsageError(`--input: ${path} does not exist; without --exit it is waited for`)
}

function isTooLong(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === 'LINE_TOO_LONG'
}

function tooLong(path: string, offset: number, cause: unknown): ProtocolError {
  const message = `${path}: the line at byte ${offset} is longer than ${MAX_LINE_BYTES} bytes; nothing from it on is published`
  return new ProtocolError('LINE_TOO_LONG', message, { cause })
}
