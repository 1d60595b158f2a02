import b4a from 'b4a'
import type Hypercore from 'hypercore'
import type { Lines } from './lines.ts'

/** In the store: from which position on lines came back from peers, and no checkpoint stands behind them. Empty: none. */
const KEY = 'many-cores/regained'

/** That position, where there are such lines. */
export async function readRegained(bootstrap: Hypercore): Promise<number | null> {
  const stored = await bootstrap.getUserData(KEY)
  return stored === null || stored.byteLength === 0 ? null : Number(b4a.toString(stored))
}

/** Writes through `session`: in an atom, if it is one of an atom. */
export async function writeRegained(session: Hypercore, from: number | null): Promise<void> {
  await session.setUserData(KEY, b4a.from(from === null ? '' : `${from}`))
}

/**
 * Lines that a store had lost, with the checkpoint of their source, and got back from peers: the source gives them again, and
 * they must not be published twice.
 */
export class Regained {
  readonly #lines: AsyncIterator<Uint8Array>
  #next: Uint8Array | null = null
  #isOver = false

  constructor(lines: AsyncIterable<Uint8Array>) {
    this.#lines = lines[Symbol.asyncIterator]()
  }

  /** How far the source goes on, from its line `first` on, with the lines that came back; once it does not, it never does. */
  async skip({ bytes, ends }: Lines, first: number): Promise<number> {
    let line = first
    for (; line < ends.length && !this.#isOver; line++) {
      const here = bytes.subarray(ends[line - 1] ?? 0, ends[line])
      this.#next ??= await this.#take()
      if (this.#next === null || !b4a.equals(this.#next, here)) {
        await this.close()
        break
      }
      this.#next = null
    }
    return line
  }

  async close(): Promise<void> {
    this.#isOver = true
    await this.#lines.return?.()
  }

  async #take(): Promise<Uint8Array | null> {
    const next = await this.#lines.next()
    return next.done === true ? null : next.value
  }
}
