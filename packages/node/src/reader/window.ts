import { ignore } from '../errors.ts'
import type { Blocks } from './blocks.ts'

/** Blocks held or in transit ahead of the consumer, in bytes. */
export const WINDOW_BYTES: number = 8 * 1024 * 1024

/** Blocks in transit. Hypercore requests 16 to 48 blocks of a core from a peer at once: more would only wait. */
const MAX_IN_TRANSIT = 64

/** Before the first release: a consumer of a few lines does not download the log. Doubles with each release. */
const FIRST_IN_TRANSIT = 8

interface Request {
  /** The number of requests before it. */
  readonly number: number
  readonly blocks: Blocks
  readonly index: number
  readonly resolve: (block: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

/**
 * Reads blocks ahead of a consumer that releases them in the order in which it requested them. The next block is always
 * read and held, others only while they fit: a slow consumer stops the reading.
 */
export class Window {
  readonly #bytes: number
  /** In order of their numbers. */
  readonly #waiting: Request[] = []
  #requested = 0
  #released = 0
  #inTransit = 0
  #maxInTransit = FIRST_IN_TRANSIT
  #heldBytes = 0
  /** An estimate of the size of a block, which is unknown before it arrives. */
  #blockBytes: number

  constructor(bytes: number = WINDOW_BYTES) {
    this.#bytes = bytes
    this.#blockBytes = bytes / FIRST_IN_TRANSIT
  }

  /** The block, read as soon as there is room. Its bytes count until they are released. */
  request(blocks: Blocks, index: number): Promise<Uint8Array> {
    const block = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting.push({ number: this.#requested++, blocks, index, resolve, reject })
    })
    // it may fail after the consumer has stopped
    block.catch(ignore)
    this.#fill()
    return block
  }

  /** The consumer has received the next block, of this size. */
  release(bytes: number): void {
    this.#released++
    this.#heldBytes -= bytes
    this.#maxInTransit = Math.min(MAX_IN_TRANSIT, this.#maxInTransit * 2)
    this.#fill()
  }

  #fill(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next); next = this.#waiting[0]) {
      const request = next
      this.#waiting.shift()
      this.#inTransit++
      request.blocks.get(request.index).then((block) => this.#onArrival(request, block), request.reject)
    }
  }

  #onArrival(request: Request, block: Uint8Array): void {
    this.#inTransit--
    const bytes = block.byteLength
    // rises at once, falls slowly
    this.#blockBytes = Math.max(bytes, (7 * this.#blockBytes + bytes) / 8)
    if (this.#isNext(request) || this.#heldBytes + bytes <= this.#bytes) {
      this.#heldBytes += bytes
      request.resolve(block)
    } else this.#putBack(request)
    this.#fill()
  }

  /** A block that is too large to hold is read again, from the store, once there is room. */
  #putBack(request: Request): void {
    const later = this.#waiting.findIndex(({ number }) => number > request.number)
    this.#waiting.splice(later === -1 ? this.#waiting.length : later, 0, request)
  }

  #hasRoom(request: Request): boolean {
    if (this.#isNext(request)) return true
    const bytes = this.#heldBytes + (this.#inTransit + 1) * this.#blockBytes
    return this.#inTransit < this.#maxInTransit && bytes <= this.#bytes
  }

  #isNext({ number }: Request): boolean {
    return number === this.#released
  }
}
