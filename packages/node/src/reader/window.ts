import { ignore } from '../errors.ts'
import type { Blocks } from './blocks.ts'

/** Bytes of blocks that have arrived or are on their way, ahead of the consumer. */
export const WINDOW_BYTES: number = 8 * 1024 * 1024

/** Blocks on their way at once. Hypercore asks one peer for 16 to 48 of a core at a time, so more would only wait. */
const MAX_FLYING = 64

/** Before anything was taken: a consumer that wants a few lines does not download the log. Doubles with each block taken. */
const FIRST_FLYING = 8

interface Want {
  /** How many blocks were expected before it. */
  readonly number: number
  readonly blocks: Blocks
  readonly index: number
  readonly resolve: (block: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

/**
 * Reads blocks ahead of a consumer that takes them in the order in which they were expected. The block that comes next is
 * always asked for and always held, the others as far as they fit: a slow consumer stops the reading.
 */
export class Window {
  readonly #bytes: number
  /** In order. */
  readonly #waiting: Want[] = []
  #expected = 0
  #taken = 0
  #flying = 0
  #maxFlying = FIRST_FLYING
  #held = 0
  /** The guess at what a block has: sizes are not known before arrival. */
  #blockBytes: number

  constructor(bytes: number = WINDOW_BYTES) {
    this.#bytes = bytes
    this.#blockBytes = bytes / FIRST_FLYING
  }

  /** The block, asked for as soon as there is room. Its bytes count until they are released. */
  expect(blocks: Blocks, index: number): Promise<Uint8Array> {
    const block = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting.push({ number: this.#expected++, blocks, index, resolve, reject })
    })
    // the consumer may be gone when it fails
    block.catch(ignore)
    this.#fly()
    return block
  }

  /** The consumer has taken the next block, which has so many bytes. */
  release(bytes: number): void {
    this.#taken++
    this.#held -= bytes
    this.#maxFlying = Math.min(MAX_FLYING, this.#maxFlying * 2)
    this.#fly()
  }

  #fly(): void {
    for (let want = this.#waiting[0]; want !== undefined && this.#hasRoom(want); want = this.#waiting[0]) {
      const { blocks, index, reject } = want
      this.#waiting.shift()
      this.#flying++
      blocks.take(index).then((block) => this.#land(want, block), reject)
    }
  }

  #land(want: Want, block: Uint8Array): void {
    this.#flying--
    const bytes = block.byteLength
    // quick to believe in large blocks, slow to forget them
    this.#blockBytes = Math.max(bytes, (7 * this.#blockBytes + bytes) / 8)
    if (this.#isNext(want) || this.#held + bytes <= this.#bytes) {
      this.#held += bytes
      want.resolve(block)
    } else this.#putBack(want)
    this.#fly()
  }

  /** A block that turns out too large to be held is read again, from the store, once there is room. */
  #putBack(want: Want): void {
    const behind = this.#waiting.findIndex(({ number }) => number > want.number)
    this.#waiting.splice(behind === -1 ? this.#waiting.length : behind, 0, want)
  }

  #hasRoom(want: Want): boolean {
    if (this.#isNext(want)) return true
    return this.#flying < this.#maxFlying && this.#held + (this.#flying + 1) * this.#blockBytes <= this.#bytes
  }

  #isNext({ number }: Want): boolean {
    return number === this.#taken
  }
}
