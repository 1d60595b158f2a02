import b4a from 'b4a'
import type Hypercore from 'hypercore'
import type { Place } from './batch.ts'
import type { Cursor } from './cursor.ts'
import { NodeError, translate } from './errors.ts'

/** A cursor's name where the user gives none. */
export const DEFAULT_CURSOR = 'default'

const NAME = /^[\w.-]{1,64}$/
const PREFIX = 'many-cores/cursor/'

/** The cursor `name` of the log whose bootstrap core this is. Throws NodeError `BAD_OPTION` for a name that cannot be one. */
export async function openCursor(bootstrap: Hypercore, name: string): Promise<Cursor> {
  if (!NAME.test(name))
    throw new NodeError(
      'BAD_OPTION',
      `${JSON.stringify(name)} is no cursor name: 1 to 64 of A-Z a-z 0-9 . _ -`
    )
  const stored = await bootstrap.getUserData(PREFIX + name)
  return new StoredCursor(bootstrap, name, stored === null ? null : decodePlace(stored, name))
}

class StoredCursor implements Cursor {
  readonly name: string
  readonly #bootstrap: Hypercore
  #place: Place | null
  #stored: Place | null
  #storing: Promise<void> | null = null

  constructor(bootstrap: Hypercore, name: string, place: Place | null) {
    this.name = name
    this.#bootstrap = bootstrap
    this.#place = place
    this.#stored = place
  }

  get place(): Place | null {
    return this.#place
  }

  async commit(place: Place): Promise<void> {
    this.#place = place
    while (this.#place !== this.#stored) {
      this.#storing ??= this.#store(this.#place).finally(() => {
        this.#storing = null
      })
      await this.#storing
    }
  }

  async #store(place: Place | null): Promise<void> {
    try {
      await this.#bootstrap.setUserData(PREFIX + this.name, b4a.from(JSON.stringify(place)))
      this.#stored = place
    } catch (error) {
      throw translate(error)
    }
  }
}

function decodePlace(bytes: Uint8Array, name: string): Place {
  const value: unknown = parse(b4a.toString(bytes))
  if (isIndex(value)) return value
  if (typeof value === 'object' && value !== null && Object.values(value).every(isIndex))
    return value as Place
  throw new NodeError('STORE_REFUSED', `the cursor ${name} in the store is damaged`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
