import { createHash } from 'node:crypto'
import { readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CoreKey } from '@many-cores/protocol'
import { isMissing, NodeError, translate } from '../errors.ts'
import { syncDirectory } from '../store/fsync.ts'
import type { Home } from '../store/home.ts'
import type { Position } from './batch.ts'
import { isObject, isPosition } from './bound.ts'
import type { Cursor, CursorState } from './cursor.ts'

/** The name of a cursor that was not given one. */
export const DEFAULT_CURSOR = 'default'

const NAME = /^[\w.-]{1,64}$/

/** The directory with a directory for each log: in it, a cursor is a file, with a lock beside it. */
const CURSORS = 'cursors'
const SUFFIX = '.json'
const LOCK_SUFFIX = '.lock'

/** A stored mark. The position in a tutorial log with 16,384 cores takes about 500,000 bytes. */
const MAX_MARK_BYTES = 1024 * 1024

/**
 * The cursor `name` of the log `key`.
 *
 * @throws NodeError `BAD_OPTION` for an invalid name; `STORE_REFUSED` if the stored cursor cannot be read.
 */
export async function openCursor(home: Home, key: CoreKey, name: string): Promise<Cursor> {
  if (!NAME.test(name))
    throw new NodeError(
      'BAD_OPTION',
      `invalid cursor name ${JSON.stringify(name)}: expected 1 to 64 of A-Z a-z 0-9 . _ -`
    )
  const cursor = await FileCursor.read(home, key, name)
  if (!cursor.isDamaged) return cursor
  throw new NodeError('STORE_REFUSED', `the cursor ${name} in the store is damaged; remove it to start again`)
}

/** The cursors of the log `key`, by name, damaged ones included. */
export async function listCursors(home: Home, key: CoreKey): Promise<Cursor[]> {
  const files = await readdir(home.path(CURSORS, key)).catch((error: unknown): string[] => {
    if (isMissing(error)) return []
    throw translate(error)
  })
  const names = files
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort()
  const cursors = await Promise.all(names.map((name) => FileCursor.read(home, key, name)))
  return cursors.filter((cursor) => cursor.isDamaged || cursor.position !== null)
}

/** The stored value of a cursor. */
interface Mark {
  readonly position: Position | null
  readonly state: CursorState | null
}

const NOTHING: Mark = { position: null, state: null }
const DAMAGED: Mark = { position: null, state: null }

class FileCursor implements Cursor {
  readonly name: string
  readonly #home: Home
  readonly #file: string
  #mark: Mark
  #stored: Mark
  #locking: Promise<void> | null = null
  #storing: Promise<void> | null = null

  static async read(home: Home, key: CoreKey, name: string): Promise<FileCursor> {
    const file = home.path(CURSORS, key, `${name}${SUFFIX}`)
    return new FileCursor(home, name, file, await readMark(file))
  }

  private constructor(home: Home, name: string, file: string, mark: Mark) {
    this.name = name
    this.#home = home
    this.#file = file
    this.#mark = mark
    this.#stored = mark
  }

  get position(): Position | null {
    return this.#mark.position
  }

  get state(): CursorState | null {
    return this.#mark.state
  }

  get isDamaged(): boolean {
    return this.#mark === DAMAGED
  }

  lock(): Promise<void> {
    this.#locking ??= this.#lock().catch((error: unknown) => {
      this.#locking = null
      throw translate(error)
    })
    return this.#locking
  }

  async commit(position: Position, state: CursorState | null = null): Promise<void> {
    await this.#save(checkMark({ position, state }))
  }

  async remove(): Promise<void> {
    await this.#save(NOTHING)
  }

  async #lock(): Promise<void> {
    const path = `${this.#file.slice(0, -SUFFIX.length)}${LOCK_SUFFIX}`
    await this.#home.lock(path, `the cursor ${this.name} of this log`)
    // another process may have moved it
    this.#mark = this.#stored = await readMark(this.#file)
  }

  async #save(mark: Mark): Promise<void> {
    await this.lock()
    this.#mark = mark
    while (this.#mark !== this.#stored) {
      this.#storing ??= this.#home
        .work(() => this.#store(this.#mark))
        .finally(() => {
          this.#storing = null
        })
      await this.#storing
    }
  }

  /** Replaces the file: after a crash, it is the old one or the new one. */
  async #store(mark: Mark): Promise<void> {
    const { fsync } = this.#home
    try {
      if (mark === NOTHING) await unlink(this.#file).catch(ignoreMissing)
      else {
        const next = `${this.#file}.next`
        await writeFile(next, encodeMark(mark), { mode: 0o600, flush: fsync })
        await rename(next, this.#file)
      }
      if (fsync) await syncDirectory(dirname(this.#file))
      this.#stored = mark
    } catch (error) {
      throw translate(error)
    }
  }
}

async function readMark(file: string): Promise<Mark> {
  try {
    return decodeMark(await readFile(file, 'utf8'))
  } catch (error) {
    if (isMissing(error)) return NOTHING
    throw translate(error)
  }
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error
}

/** A copy of `mark`, as it will be read back. Throws NodeError `BAD_OPTION`. */
function checkMark({ position, state }: Mark): Mark {
  if (isPosition(position) && (state === null || isState(state))) {
    const text = encodeMark({ position, state })
    const mark = Buffer.byteLength(text) > MAX_MARK_BYTES ? DAMAGED : decodeMark(text)
    if (mark !== DAMAGED) return mark
  }
  throw new NodeError(
    'BAD_OPTION',
    `a cursor takes the position of a batch, and a state of strings, finite numbers, booleans and null, in at most ${MAX_MARK_BYTES} bytes`
  )
}

/** A line of JSON, and its checksum: a flipped bit must not become another position. */
function encodeMark({ position, state }: Mark): string {
  const line = JSON.stringify({ position, state })
  return `${line}\n${checksum(line)}\n`
}

function decodeMark(text: string): Mark {
  const [line = '', sum] = text.split('\n')
  const value = parse(line)
  const isWhole = sum === checksum(line) && isObject(value) && isPosition(value.position)
  if (!isWhole) return DAMAGED
  const { position, state } = value as { readonly position: Position; readonly state: unknown }
  if (state === null) return { position, state }
  return isState(state) ? { position, state } : DAMAGED
}

function checksum(line: string): string {
  return createHash('sha256').update(line).digest('hex').slice(0, 16)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isState(value: unknown): value is CursorState {
  return isObject(value) && Object.values(value).every(isPlain)
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)
}
