import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, plural, type Status, UsageError } from '@many-cores/cli'
import type { Progress, Writer } from '@many-cores/node'
import { MAX_LINE_BYTES, ProtocolError } from '@many-cores/protocol'
import { follow, type Piece, TailError, type TailStatus } from '@many-cores/tail'

export interface FileOptions {
  /** Whether to stop at the end of the file. */
  readonly exit: boolean
  /** Names of older files, relative to the directory of the file. */
  readonly rotated: readonly string[]
  /** How long a renamed file must be quiet before its successor is read, in ms. */
  readonly grace: number
  readonly status: Status
  readonly signal: AbortSignal
}

const NEWLINE = 0x0a

/**
 * Publishes the lines of the file at `path` until `signal` is aborted or, with `exit`, the end of the file. Resumes where it stopped the
 * last time. The file may grow, be rotated, or not exist yet. Resolves to the number of lines.
 *
 * @throws UsageError if it is missing with `exit`; ProtocolError `LINE_TOO_LONG`; TailError.
 */
export async function publishFile(writer: Writer, path: string, options: FileOptions): Promise<number> {
  const checkpoint = await checkpointName(path)
  const stored = await writer.checkpoint(checkpoint)
  const from = stored === null ? {} : { from: Buffer.from(stored).toString() }
  const { exit: once, rotated, grace, status } = options
  // a writer that fails stops waiting for the file
  const ending = new AbortController()
  const signal = AbortSignal.any([options.signal, ending.signal])
  const onStatus = (event: TailStatus): void => report(event, status)
  const pieces = follow(path, { ...from, once, rotated, grace, signal, onStatus })
  try {
    return await new FileInput(writer, checkpoint, pieces, signal).publish()
  } catch (error) {
    if (!(error instanceof TailError) || error.code !== 'MISSING') throw error
    throw missing(path)
  } finally {
    ending.abort()
    await pieces.return()
  }
}

/** Throws UsageError if two paths lead to one file, which would be published twice. */
export async function checkDistinct(paths: readonly string[]): Promise<void> {
  const targets = await Promise.all(paths.map((path) => realpath(path).catch(() => path)))
  const again = targets.findIndex((target, index) => targets.indexOf(target) < index)
  if (again !== -1) throw new UsageError(`--input: ${paths[again]} is given twice, perhaps by another path`)
}

export function missing(path: string): UsageError {
  if (/[*?]/.test(path))
    return new UsageError(
      `--input: ${path} does not exist; --input takes no patterns: give it once for each file`
    )
  return new UsageError(`--input: ${path} does not exist; without --exit, the writer waits for it`)
}

/** A piece, and how many bytes of its stream are before it. */
interface Held {
  readonly piece: Piece
  readonly before: number
}

class FileInput {
  readonly #writer: Writer
  readonly #checkpoint: string
  readonly #pieces: AsyncIterator<Piece, void>
  readonly #signal: AbortSignal
  /** The pieces that may not be durable yet, oldest first. */
  #held: Held[] = []

  constructor(writer: Writer, checkpoint: string, pieces: AsyncIterator<Piece, void>, signal: AbortSignal) {
    this.#writer = writer
    this.#checkpoint = checkpoint
    this.#pieces = pieces
    this.#signal = signal
  }

  async publish(): Promise<number> {
    let count = 0
    for (let piece = await this.#next(); piece !== null; ) {
      if (isNote(piece)) {
        await this.#writer.publish([], { checkpoint: { name: this.#checkpoint, value: piece.placeAt() } })
        piece = await this.#next()
        continue
      }
      const stream = this.#stream(piece)
      count += await this.#publishStream(stream.bytes)
      piece = this.#signal.aborted ? null : await stream.next()
    }
    return count
  }

  /** The bytes of pieces up to the end of a line without a newline, or to a note; then `next` is the piece after them. */
  #stream(first: Piece): {
    readonly bytes: AsyncGenerator<Uint8Array>
    readonly next: () => Promise<Piece | null>
  } {
    let next: Piece | null = first
    let isFetched = true
    let before = 0
    const take = async (): Promise<Piece | null> => {
      if (!isFetched) next = await this.#next()
      isFetched = true
      return next
    }
    this.#held = []
    const read = async function* (held: Held[]): AsyncGenerator<Uint8Array> {
      for (let piece = await take(); piece !== null && !isNote(piece); piece = await take()) {
        const { bytes, endsLine } = piece
        held.push({ piece, before })
        before += bytes.byteLength
        isFetched = false
        yield bytes
        if (endsLine && bytes.at(-1) !== NEWLINE) return
      }
    }
    return { bytes: read(this.#held), next: take }
  }

  async #publishStream(bytes: AsyncIterable<Uint8Array>): Promise<number> {
    let published = 0
    const at = ({ bytes }: Progress): string => {
      published = bytes
      return this.#placeAt(bytes)
    }
    try {
      const checkpoint = { name: this.#checkpoint, at }
      const { count } = await this.#writer.publishBytes(bytes, { signal: this.#signal, checkpoint })
      return count
    } catch (error) {
      if (codeOf(error) !== 'LINE_TOO_LONG') throw error
      const { path, offset } = this.#locate(published)
      const text = `${path}: the line at byte ${offset} is longer than ${MAX_LINE_BYTES} bytes; lines from there on are not published`
      throw new ProtocolError('LINE_TOO_LONG', text, { cause: error })
    }
  }

  /** The place after the first `bytes` of the stream. */
  #placeAt(bytes: number): string {
    const after = this.#held.findIndex(({ piece, before }) => before + piece.bytes.byteLength >= bytes)
    this.#held.splice(0, after)
    const [first] = this.#held
    if (first === undefined) throw new Error(`byte ${bytes} has not been read`)
    return first.piece.placeAt(bytes - first.before)
  }

  /** The file and the offset that the stream's byte `at` is from. */
  #locate(at: number): { readonly path: string; readonly offset: number } {
    const held = this.#held.find(({ piece, before }) => before + piece.bytes.byteLength > at)
    return { path: held?.piece.path ?? '', offset: (held?.piece.offset ?? 0) + at - (held?.before ?? 0) }
  }

  async #next(): Promise<Piece | null> {
    const { value, done } = await this.#pieces.next()
    return done === true || value === undefined ? null : value
  }
}

/** Whether only the place has changed. */
function isNote({ bytes, endsLine }: Piece): boolean {
  return bytes.byteLength === 0 && endsLine
}

/** One name for all paths through links to one directory; hashed because a path can be longer than a name. */
async function checkpointName(path: string): Promise<string> {
  const directory = await realpath(dirname(path)).catch(() => dirname(path))
  return `file-${createHash('sha256')
    .update(join(directory, basename(path)))
    .digest('hex')
    .slice(0, 40)}`
}

function report(event: TailStatus, status: Status): void {
  const { path } = event
  if (event.state === 'reading') {
    if (event.offset > 0) status.note(`${path}: resuming at byte ${event.offset}`)
    status.state(`following ${path}`)
  } else if (event.state === 'waiting')
    status.state(`waiting for ${path}: ${event.reason || 'it does not exist yet'}`)
  else if (event.state === 'skipped')
    status.note(
      `${path}: skipped ${event.bytes} NUL bytes at its start; the program that writes it does not append`
    )
  else status.error(lossOf(event))
}

function lossOf({ path, offset, bytes, reason }: Extract<TailStatus, { state: 'lost' }>): string {
  const unpublished = bytes === 0 ? '' : `, with at least ${bytes} unpublished ${plural(bytes, 'byte')}`
  if (reason === 'gone')
    return `${path}: the file that was published up to byte ${offset} is gone${unpublished}; lines that were added to it since, if any, are lost`
  if (reason === 'cut')
    return `${path}: the file that was published up to byte ${offset} was truncated or rewritten${unpublished}; reading it from its start`
  const fault = reason === 'packed' ? 'cannot be decompressed here' : 'is damaged'
  return `${path} ${fault}; its lines are not published. To publish them: decompress it, and use: writer < FILE`
}
