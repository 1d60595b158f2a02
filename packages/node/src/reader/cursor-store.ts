import b4a from 'b4a'
import type Hypercore from 'hypercore'
import { NodeError, translate } from '../errors.ts'
import type { WalSync } from '../store/wal-sync.ts'
import type { Position } from './batch.ts'
import { isObject, isPosition } from './bound.ts'
import type { Cursor, CursorState } from './cursor.ts'

/** The name of a cursor that was not given one. */
export const DEFAULT_CURSOR = 'default'

const NAME = /^[\w.-]{1,64}$/
const PREFIX = 'many-cores/cursor/'
/** After all keys with the prefix: 0 follows / in ASCII. */
const PREFIX_END = 'many-cores/cursor0'

/** A stored mark. The position in a tutorial log with 16,384 cores takes about 500,000 bytes. */
const MAX_MARK_BYTES = 1024 * 1024

/**
 * The cursor `name` of the log with this bootstrap core.
 *
 * @throws NodeError `BAD_OPTION` for an invalid name; `STORE_REFUSED` if the stored cursor cannot be read.
 */
export async function openCursor(bootstrap: Hypercore, name: string, wal: WalSync): Promise<Cursor> {
  if (!NAME.test(name))
    throw new NodeError(
      'BAD_OPTION',
      `invalid cursor name ${JSON.stringify(name)}: expected 1 to 64 of A-Z a-z 0-9 . _ -`
    )
  const stored = await bootstrap.getUserData(PREFIX + name)
  const mark = stored === null ? NOTHING : decodeMark(stored)
  if (mark !== DAMAGED) return new StoredCursor(bootstrap, name, wal, mark)
  throw new NodeError('STORE_REFUSED', `the cursor ${name} in the store is damaged; remove it to start again`)
}

/** The cursors of the log with this bootstrap core, by name, damaged ones included. */
export async function listCursors(bootstrap: Hypercore, wal: WalSync): Promise<Cursor[]> {
  const cursors: Cursor[] = []
  for await (const { key, value } of bootstrap.core.createUserDataStream({ gte: PREFIX, lt: PREFIX_END })) {
    const mark = decodeMark(value)
    if (mark !== NOTHING) cursors.push(new StoredCursor(bootstrap, key.slice(PREFIX.length), wal, mark))
  }
  return cursors
}

/** The stored value of a cursor. */
interface Mark {
  readonly position: Position | null
  readonly state: CursorState | null
}

const NOTHING: Mark = { position: null, state: null }
const DAMAGED: Mark = { position: null, state: null }

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

  get position(): Position | null {
    return this.#mark.position
  }

  get state(): CursorState | null {
    return this.#mark.state
  }

  get isDamaged(): boolean {
    return this.#mark === DAMAGED
  }

  async commit(position: Position, state: CursorState | null = null): Promise<void> {
    await this.#save(checkMark({ position, state }))
  }

  async remove(): Promise<void> {
    await this.#save(NOTHING)
  }

  async #save(mark: Mark): Promise<void> {
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

/** A copy of `mark`, as it will be read back. Throws NodeError `BAD_OPTION`. */
function checkMark({ position, state }: Mark): Mark {
  if (isPosition(position) && (state === null || isState(state))) {
    const bytes = encodeMark({ position, state })
    const mark = bytes.byteLength > MAX_MARK_BYTES ? DAMAGED : decodeMark(bytes)
    if (mark !== DAMAGED) return mark
  }
  throw new NodeError(
    'BAD_OPTION',
    `a cursor takes the position of a batch, and a state of strings, finite numbers, booleans and null, in at most ${MAX_MARK_BYTES} bytes`
  )
}

/** The position alone or, with a state, both. No mark is `null`: Hypercore replaces user data, but never deletes it. */
function encodeMark({ position, state }: Mark): Uint8Array {
  return b4a.from(JSON.stringify(state === null ? position : { place: position, state }))
}

function decodeMark(bytes: Uint8Array): Mark {
  const value = parse(b4a.toString(bytes))
  if (value === null) return NOTHING
  if (isPosition(value)) return { position: value, state: null }
  if (isObject(value) && isPosition(value.place) && isState(value.state))
    return { position: value.place, state: value.state }
  return DAMAGED
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
