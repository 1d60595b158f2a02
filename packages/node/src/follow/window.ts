import { MAX_BLOCK_BYTES } from '@many-cores/protocol'
import type { Blocks } from './blocks.ts'

/** Bytes of blocks that have arrived or are on their way, ahead of the consumer. */
const WINDOW_BYTES = 8 * 1024 * 1024

/** Blocks on their way at once. Hypercore asks one peer for 16 to 48 of a core at a time, so more would only wait. */
const MAX_FLYING = 64

/** Before anything was taken: whoever wants a few lines shall not download the log. Doubles with everything that is taken. */
const FIRST_FLYING = 8

interface Want {
  readonly blocks: Blocks
  readonly index: number
  readonly resolve: (block: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

/**
 * Reads blocks ahead of their consumer, in the order they were asked for, within bounds: a slow consumer stops the reading.
 * Sizes are not known before arrival: where small blocks turn into large ones, the few on their way come as a surprise.
 */
export class Window {
  readonly #waiting: Want[] = []
  #flying = 0
  #maxFlying = FIRST_FLYING
  #held = 0
  /** What a block is guessed to have; the most that a packed one may have before any was seen. */
  #blockBytes = MAX_BLOCK_BYTES

  /** The block, asked for as soon as there is room. Its bytes count until they are released. */
  expect(blocks: Blocks, index: number): Promise<Uint8Array> {
    const block = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting.push({ blocks, index, resolve, reject })
    })
    // the consumer may be gone when it fails
    block.catch(ignore)
    this.#fly()
    return block
  }

  /** The consumer is done with so many bytes. */
  release(bytes: number): void {
    this.#held -= bytes
    this.#maxFlying = Math.min(MAX_FLYING, this.#maxFlying * 2)
    this.#fly()
  }

  #fly(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      const { blocks, index, resolve, reject } = this.#waiting.shift() as Want
      this.#flying++
      blocks.take(index).then((block) => {
        this.#land(block.byteLength)
        resolve(block)
      }, reject)
    }
  }

  #land(bytes: number): void {
    this.#flying--
    this.#held += bytes
    // quick to believe in large blocks, slow to forget them
    this.#blockBytes = Math.max(bytes, (7 * this.#blockBytes + bytes) / 8)
    this.#fly()
  }

  #hasRoom(): boolean {
    if (this.#flying === 0 && this.#held === 0) return true
    return (
      this.#flying < this.#maxFlying && this.#held + (this.#flying + 1) * this.#blockBytes <= WINDOW_BYTES
    )
  }
}

function ignore(): void {}
