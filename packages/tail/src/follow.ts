import { resolve } from 'node:path'
import { CHUNK_BYTES } from './content.ts'
import { codeOf, ignore, reasonOf, TailError } from './errors.ts'
import { NOT_A_FILE } from './listing.ts'
import { LogFiles, MAX_SOURCES } from './log-files.ts'
import { advance } from './mark.ts'
import { Renamed, Unreadable } from './match.ts'
import { namesOf, usualNames } from './names.ts'
import { decodePlace, encodePlace, type Place } from './place.ts'
import type { Source } from './source.ts'
import type { OnStatus } from './status.ts'
import { type Change, Watch } from './watch.ts'

export interface FollowOptions {
  /** A place of an earlier run: goes on after it. Default: begins at the start of the file, and leaves out the older ones. */
  readonly from?: string
  /**
   * The older files, where rotation gives them other names than `FILE.1`, `FILE-DATE` and the like: paths relative to the directory of
   * the file, with `*` and `?` in the last part. Files in other directories are found in this way, too. Default: none.
   */
  readonly rotated?: readonly string[]
  /**
   * How long a renamed file has to be quiet before its successor is read, in ms: programs may still write to it. What they write later
   * is read, too, between the lines of the successor. Default 1000.
   */
  readonly grace?: number
  /** Ends after everything that is in the files at the start. Default: follows them until `signal` is aborted. */
  readonly once?: boolean
  /** Ends the iteration. */
  readonly signal?: AbortSignal
  readonly onStatus?: OnStatus
}

/** The next bytes of the log. */
export interface Piece {
  /** Whole lines, or part of a long one; empty if only the place has changed. The buffer is not used again. */
  readonly bytes: Uint8Array
  /** The file that they were read from, and where its first byte is. */
  readonly path: string
  readonly offset: number
  /** Whether a line ends with these bytes: the last line of a file may have no newline. */
  readonly endsLine: boolean
  /** The place after the first `length` bytes, at most 3,800 ASCII characters. Default: after all of them. */
  placeAt(length?: number): string
}

const GRACE_MS = 1000
/** A rotation renames its files quickly. */
const MAX_LOOKS = 100
const NEWLINE = 0x0a

/**
 * Yields the bytes of the log at `path`: of the file that is there, and of each that was there before, whatever rotates them. The first
 * piece is empty: its place is worth storing, because what is written later can be found again from it.
 *
 * @throws TailError `BAD_PLACE`, `BAD_OPTION`; with `once`, `MISSING`, `NOT_A_FILE` or `UNREADABLE`
 */
export async function* follow(
  path: string,
  options: FollowOptions = {}
): AsyncGenerator<Piece, void, undefined> {
  const follower = new Follower(resolve(path), options)
  try {
    yield* follower.pieces()
  } finally {
    await follower.close()
  }
}

class Follower {
  readonly #path: string
  readonly #graceMs: number
  readonly #once: boolean
  readonly #signal: AbortSignal
  readonly #onStatus: OnStatus
  readonly #files: LogFiles
  readonly #watch: Watch
  /** With `once`: how far each file is read, by its id. */
  #limits: ReadonlyMap<string, number> | null = null
  /** The source whose last line is incomplete in what was yielded. */
  #openLine: Source | null = null
  #isLineOpen = false
  #waitsFor = ''
  /** What may have changed since the last look. */
  #change: Change = 'content'

  constructor(
    path: string,
    { from, rotated = [], grace = GRACE_MS, once = false, signal, onStatus }: FollowOptions
  ) {
    if (!Number.isFinite(grace) || grace < 0)
      throw new TailError('BAD_OPTION', `invalid grace ${grace}: expected 0 or more ms`)
    const names = [usualNames(path), ...rotated.map((pattern) => namesOf(pattern, path))]
    this.#path = path
    this.#graceMs = grace
    this.#once = once
    this.#signal = signal ?? new AbortController().signal
    this.#onStatus = onStatus ?? ignore
    const place = from === undefined ? null : decodePlace(from)
    this.#files = new LogFiles({ path, names, place, onStatus: this.#onStatus })
    this.#watch = new Watch(path, names)
  }

  async *pieces(): AsyncGenerator<Piece, void, undefined> {
    await this.#watch.open()
    await this.#lookUntilSeen()
    // nothing was seen: the place is the one before
    if (this.#signal.aborted) return
    yield this.#note()
    while (!this.#signal.aborted) {
      const piece = (await this.#read()) ?? (await this.#look())
      if (piece !== null) yield piece
      else if (this.#isOver()) break
      else await this.#wait()
    }
    if (this.#isLineOpen && !this.#signal.aborted) yield this.#note(true)
  }

  async close(): Promise<void> {
    this.#watch.close()
    await this.#files.close()
  }

  /** The first look. What was stored has to be found before the place may change. */
  async #lookUntilSeen(): Promise<void> {
    while (!this.#signal.aborted && (await this.#tryLook()) === null) await this.#watch.next(this.#signal)
    if (!this.#once) return
    const { sources } = this.#files
    if (sources.length === 0) throw this.#missing()
    this.#limits = new Map(
      sources.map(({ file, content }) => [file.id, content.isPacked ? Number.POSITIVE_INFINITY : file.size])
    )
  }

  /** The next bytes of the oldest source that has some; null if none has. */
  async #read(): Promise<Piece | null> {
    const { sources } = this.#files
    const before = this.#openLine
    if (before !== null && !sources.includes(before)) {
      this.#openLine = sources.find(({ continues }) => continues === before) ?? null
      if (this.#openLine === null) return this.#note(true)
    }
    const isQuick = this.#change === 'content' && sources.slice(0, -1).every(({ isReleased }) => isReleased)
    const start = isQuick ? sources.length - 1 : 0
    const first = this.#openLine === null ? Math.max(0, start) : sources.indexOf(this.#openLine)
    for (const source of sources.slice(first)) {
      if (source === this.#files.held) return null
      const piece = await this.#readOne(source)
      if (piece !== null || !this.#maySkip(source)) return piece
      if (source === this.#openLine) return this.#endLine(source)
      if (source.isSettled || sources.indexOf(source) < sources.length - MAX_SOURCES)
        await this.#files.forget(source)
    }
    return null
  }

  /** The last line of a source that has nothing more. */
  #endLine(source: Source): Piece {
    this.#openLine = null
    return this.#note(!source.joins)
  }

  async #readOne(source: Source): Promise<Piece | null> {
    if (source.fault !== null || this.#isAtLimit(source)) return null
    try {
      const bytes = await this.#peek(source)
      if (bytes === null) return null
      if (source.mark.offset === 0 && source === this.#files.sources.at(-1)) {
        // only the names tell whether a file has been cut off of which nothing was read: after these bytes, they tell it surely
        const hasChanged = await this.#tryLook()
        if (hasChanged !== false) return hasChanged === null ? null : this.#note()
      }
      const end = bytes.lastIndexOf(NEWLINE) + 1
      if (end > 0) return this.#piece(source, bytes.subarray(0, end), true)
      if (bytes.byteLength >= CHUNK_BYTES) return this.#piece(source, bytes, false)
      // less than a line
      source.isDrained = true
      return this.#takesRest(source) ? this.#piece(source, bytes, !source.joins) : null
    } catch (error) {
      source.fault = reasonOf(error)
      await source.content.close().catch(ignore)
      return null
    }
  }

  /** What is after the mark, without a hole at the start: the file was cut off, and a program writes on where it had been. */
  async #peek(source: Source): Promise<Uint8Array | null> {
    let skipped = 0
    while (true) {
      const bytes = await source.peek()
      const isNul = source.mark.offset === skipped && bytes?.[0] === 0
      const isHole = isNul && (skipped > 0 || (await source.content.isSparse()))
      const hole = isHole ? bytes.findIndex((byte) => byte !== 0) : 0
      if (bytes === null || hole === 0) {
        if (skipped > 0) this.#onStatus({ state: 'skipped', path: source.file.path, bytes: skipped })
        return bytes
      }
      const zeros = hole === -1 ? bytes : bytes.subarray(0, hole)
      source.take(zeros)
      skipped += zeros.byteLength
    }
  }

  /** Whether the end of a file counts as the end of its last line. */
  #takesRest(source: Source): boolean {
    const { sources } = this.#files
    const successors = sources.length - 1 - sources.indexOf(source)
    if (successors === 0) return this.#once && this.#isQuiet(source)
    return successors > 1 || this.#isQuiet(source)
  }

  /** Whether the sources after one that has nothing to read may be read. */
  #maySkip(source: Source): boolean {
    const { sources } = this.#files
    if (source.isCut || source === sources.at(-1)) return false
    const isOver = sources.indexOf(source) < sources.length - 2 || this.#isQuiet(source)
    source.isReleased ||= source.fault === null && isOver
    return source.isReleased
  }

  #isQuiet(source: Source): boolean {
    return source.isSettled || performance.now() - source.quietSince >= this.#graceMs
  }

  #isAtLimit(source: Source): boolean {
    const { file, mark } = source
    const limit = this.#limits?.get(file.id)
    return limit !== undefined && mark.offset >= limit && this.#openLine !== source
  }

  /** With `once`, whether everything has been read. */
  #isOver(): boolean {
    if (!this.#once || this.#files.hasMore) return false
    return this.#files.sources.every(
      (source) => this.#isAtLimit(source) || (source.isDrained && this.#isRead(source))
    )
  }

  #isRead(source: Source): boolean {
    const { mark, file, isSettled } = source
    // its last line may be continued
    if (source === this.#openLine && !this.#isQuiet(source)) return false
    return isSettled || mark.offset >= file.size
  }

  /** Looks at the names if they may have changed. Returns an empty piece if the place has. */
  async #look(): Promise<Piece | null> {
    const isBroken = this.#files.sources.some(({ isCut, fault }) => isCut || fault !== null)
    // for something else than a name
    const isPending = isBroken || !['', this.#keyOf(this.#path, '')].includes(this.#waitsFor)
    if (this.#change === 'content' && !isBroken && !this.#files.hasMore) return null
    const isDue =
      this.#change === 'names' || isPending || this.#files.hasMore || (await this.#files.isStale())
    this.#change = 'content'
    await this.#files.prune(this.#graceMs)
    if (!isDue) return null
    return (await this.#tryLook()) === true ? this.#note() : null
  }

  /** Whether the files have changed; null if something has to be readable first. */
  async #tryLook(): Promise<boolean | null> {
    try {
      const hasChanged = await this.#lookThrough()
      const { fault, sources } = this.#files
      if (fault === '' || (fault === null && sources.length > 0)) this.#waitsFor = ''
      else this.#waitFor(this.#path, fault ?? '')
      return hasChanged
    } catch (error) {
      const isSystem = error instanceof Unreadable || codeOf(error) !== ''
      if (!isSystem || error instanceof TailError) throw error
      const { path, reason } =
        error instanceof Unreadable ? error : { path: this.#path, reason: reasonOf(error) }
      const mayHeal = error instanceof Unreadable && error.isPacking
      if (this.#once && !mayHeal) throw new TailError('UNREADABLE', `${path}: ${reason}`, { cause: error })
      this.#waitFor(path, reason)
      return null
    }
  }

  /** Where files are renamed during a look, looks again. */
  async #lookThrough(): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#files.look()
      } catch (error) {
        if (!(error instanceof Renamed)) throw error
        if (tries === MAX_LOOKS) throw new Unreadable(error.message, 'renamed all the time', error)
      }
    }
  }

  #waitFor(path: string, reason: string): void {
    const key = this.#keyOf(path, reason)
    if (key !== this.#waitsFor) this.#onStatus({ state: 'waiting', path, reason })
    this.#waitsFor = key
  }

  #keyOf(path: string, reason: string): string {
    return `${path} ${reason}`
  }

  #missing(): TailError {
    const { fault } = this.#files
    if (fault === null) return new TailError('MISSING', `${this.#path} does not exist`)
    return new TailError(fault === NOT_A_FILE ? 'NOT_A_FILE' : 'UNREADABLE', `${this.#path}: ${fault}`)
  }

  async #wait(): Promise<void> {
    // for the end of the grace time, or for a change
    const held = this.#files.sources.find((source) => !source.isReleased)
    const isTimed = held !== undefined && held.fault === null && !held.isCut && this.#holds(held)
    const ms = isTimed ? Math.max(0, held.quietSince + this.#graceMs - performance.now()) : undefined
    this.#change = await this.#watch.next(this.#signal, ms)
  }

  /** Whether something waits for a source to be quiet. */
  #holds(source: Source): boolean {
    return this.#once || source !== this.#files.sources.at(-1)
  }

  /** The next `bytes` of a source, which moves on. */
  #piece(source: Source, bytes: Uint8Array, endsLine: boolean): Piece {
    const { mark: before, file } = source
    const place = this.#files.place
    const at = this.#files.sources.indexOf(source)
    source.take(bytes)
    this.#isLineOpen = !endsLine
    // the rest of a line that a cut file ends with is in the next file
    this.#openLine = endsLine || (source.joins && source.isDrained) ? null : source
    const after = source.mark
    const placeAt = (length = bytes.byteLength): string => {
      const mark = length === bytes.byteLength ? after : advance(before, bytes.subarray(0, length))
      const files = place.files.map((stored, index) => (index === at ? source.store(mark) : stored))
      return encodePlace({ ...place, files })
    }
    return { bytes, path: file.path, offset: before.offset, endsLine, placeAt }
  }

  /** A piece without bytes. */
  #note(endsLine = !this.#isLineOpen): Piece {
    this.#isLineOpen = !endsLine
    const place: Place = this.#files.place
    return {
      bytes: new Uint8Array(),
      path: this.#path,
      offset: 0,
      endsLine,
      placeAt: () => encodePlace(place)
    }
  }
}
