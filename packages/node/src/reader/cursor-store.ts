import b4a from 'b4a'
import type Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import type { WalSync } from '../store/wal-sync.ts'
import type { Place } from './batch.ts'
import { isObject, isPlace } from './bound.ts'
import type { Cursor, CursorState } from './cursor.ts'

/** A cursor's name where the user gives none. */
export const DEFAULT_CURSOR = 'default'

const NAME = /^[\w.-]{1,64}$/
const PREFIX = 'many-cores/cursor/'
/** Behind all keys with the prefix: 0 comes after /. */
const PREFIX_END = 'many-cores/cursor0'

/** A place and a state, as they are stored. The place of a tutorial log with 16,384 cores takes about 500,000. */
const MAX_MARK_BYTES = 1024 * 1024

/**
 * The cursor `name` of the log whose bootstrap core this is.
 *
 * @throws NodeError `BAD_OPTION` for a name that cannot be one; `STORE_REFUSED` where what is stored of it cannot be read.
 */
export async function openCursor(bootstrap: Hypercore, name: string, wal: WalSync): Promise<Cursor> {
  if (!NAME.test(name))
    throw new NodeError(
      'BAD_OPTION',
      `${JSON.stringify(name)} is no cursor name: 1 to 64 of A-Z a-z 0-9 . _ -`
    )
  const stored = await bootstrap.getUserData(PREFIX + name)
  const mark = stored === null ? NOTHING : decodeMark(stored)
  if (mark !== null) return new StoredCursor(bootstrap, name, wal, mark)
  throw new NodeError('STORE_REFUSED', `the cursor ${name} in the store is damaged; remove it to begin anew`)
}

/** The cursors of the log whose bootstrap core this is, by name; damaged ones too. */
export async function listCursors(bootstrap: Hypercore, wal: WalSync): Promise<Cursor[]> {
  const cursors: Cursor[] = []
  for await (const { key, value } of bootstrap.core.createUserDataStream({ gte: PREFIX, lt: PREFIX_END })) {
    const name = key.slice(PREFIX.length)
    const mark = decodeMark(value) ?? DAMAGED
    if (mark !== NOTHING) cursors.push(new StoredCursor(bootstrap, name, wal, mark))
  }
  return cursors
}

/** What is stored of a cursor. */
interface Mark {
  readonly place: Place | null
  readonly state: CursorState | null
}

const NOTHING: Mark = { place: null, state: null }
const DAMAGED: Mark = { place: null, state: null }

class StoredCursor implements Cursor {
  readonly name: string
  readonly #bootstrap: Hypercore
  readonly #wal: WalSync
  #mark: Mark
  #stored: Mark
  #storing: Promise<void> | null = null

  constructor(bootstrap: Hypercore, name: string, wal: WalSync, mark: Mark) {
    this.name = name
    this.#bootstrap = bootstrap
    this.#wal = wal
    this.#mark = mark
    this.#stored = mark
  }

  get place(): Place | null {
    return this.#mark.place
  }

  get state(): CursorState | null {
    return this.#mark.state
  }

  get isDamaged(): boolean {
    return this.#mark === DAMAGED
  }

  async commit(place: Place, state?: CursorState): Promise<void> {
    await this.#settle(checkMark(place, state ?? null))
  }

  async remove(): Promise<void> {
    await this.#settle(NOTHING)
  }

  async #settle(mark: Mark): Promise<void> {
    this.#mark = mark
    while (this.#mark !== this.#stored) {
      this.#storing ??= this.#store(this.#mark).finally(() => {
        this.#storing = null
      })
      await this.#storing
    }
  }

  async #store(mark: Mark): Promise<void> {
    try {
      await this.#bootstrap.setUserData(PREFIX + this.name, encodeMark(mark))
      await this.#wal.sync()
      this.#stored = mark
    } catch (error) {
      throw translate(error)
    }
  }
}

/** What can be read back as it is. Throws NodeError `BAD_OPTION`. */
function checkMark(place: Place, state: CursorState | null): Mark {
  if (isPlace(place) && (state === null || isState(state))) {
    const bytes = encodeMark({ place, state })
    const mark = bytes.byteLength > MAX_MARK_BYTES ? null : decodeMark(bytes)
    if (mark !== null) return mark
  }
  throw new NodeError(
    'BAD_OPTION',
    `a cursor takes a place as batches name it and a state of texts, finite numbers, booleans and null, in ${MAX_MARK_BYTES} bytes at most`
  )
}

/** The place alone or, with a state, both. Nothing is `null`: a core's user data can be replaced, not deleted. */
function encodeMark({ place, state }: Mark): Uint8Array {
  return b4a.from(JSON.stringify(state === null ? place : { place, state }))
}

/** Null for what is damaged. */
function decodeMark(bytes: Uint8Array): Mark | null {
  const value = parse(b4a.toString(bytes))
  if (value === null) return NOTHING
  if (isPlace(value)) return { place: value, state: null }
  if (isObject(value) && isPlace(value.place) && isState(value.state))
    return { place: value.place, state: value.state }
  return null
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
