import b4a from 'b4a'
import type Hypercore from 'hypercore'
import type { Place } from './batch.ts'
import type { Cursor, CursorState } from './cursor.ts'
import { NodeError, translate } from './errors.ts'
import type { WalSync } from './wal-sync.ts'

/** A cursor's name where the user gives none. */
export const DEFAULT_CURSOR = 'default'

const NAME = /^[\w.-]{1,64}$/
const PREFIX = 'many-cores/cursor/'
/** Behind all keys with the prefix: 0 comes after /. */
const PREFIX_END = 'many-cores/cursor0'

/** The cursor `name` of the log whose bootstrap core this is. Throws NodeError `BAD_OPTION` for a name that cannot be one. */
export async function openCursor(bootstrap: Hypercore, name: string, wal: WalSync): Promise<Cursor> {
  if (!NAME.test(name))
    throw new NodeError(
      'BAD_OPTION',
      `${JSON.stringify(name)} is no cursor name: 1 to 64 of A-Z a-z 0-9 . _ -`
    )
  const stored = await bootstrap.getUserData(PREFIX + name)
  return new StoredCursor(bootstrap, name, wal, stored === null ? NOTHING : decodeMark(stored, name))
}

/** The cursors of the log whose bootstrap core this is, by name. */
export async function listCursors(bootstrap: Hypercore, wal: WalSync): Promise<Cursor[]> {
  const cursors: Cursor[] = []
  for await (const { key, value } of bootstrap.core.createUserDataStream({ gte: PREFIX, lt: PREFIX_END })) {
    const name = key.slice(PREFIX.length)
    const mark = decodeMark(value, name)
    if (mark.place !== null) cursors.push(new StoredCursor(bootstrap, name, wal, mark))
  }
  return cursors
}

/** What is stored of a cursor. */
interface Mark {
  readonly place: Place | null
  readonly state: CursorState | null
}

const NOTHING: Mark = { place: null, state: null }

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

  async commit(place: Place, state?: CursorState): Promise<void> {
    await this.#settle({ place, state: state ?? null })
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

/** The place alone or, with a state, both. Nothing is `null`: a core's user data can be replaced, not deleted. */
function encodeMark({ place, state }: Mark): Uint8Array {
  return b4a.from(JSON.stringify(state === null ? place : { place, state }))
}

function decodeMark(bytes: Uint8Array, name: string): Mark {
  const value = parse(b4a.toString(bytes))
  if (value === null) return NOTHING
  if (isPlace(value)) return { place: value, state: null }
  if (isObject(value) && isPlace(value.place) && isState(value.state))
    return { place: value.place, state: value.state }
  throw new NodeError('STORE_REFUSED', `the cursor ${name} in the store is damaged`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isPlace(value: unknown): value is Place {
  return isIndex(value) || (isObject(value) && Object.values(value).every(isIndex))
}

function isState(value: unknown): value is CursorState {
  return isObject(value) && Object.values(value).every((member) => !isObject(member))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
