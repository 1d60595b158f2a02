import { MAX_BLOCK_BYTES } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { ignore, NodeError, translate } from '../errors.ts'
import type { OnStatus } from '../status.ts'
import { withTimeout } from '../waiting.ts'

/** A block that exists and does not arrive is reported after this time. */
const STALL_MS = 5000

export interface WaitOptions {
  readonly onStatus: OnStatus
  /** How long to wait for a block that exists and is not stored, in ms; 0 = no limit. */
  readonly timeout: number
}

/**
 * The blocks of one core, for one follower. It has its own session of the core, so that closing it ends the follower's
 * pending reads and no others.
 */
export class Blocks {
  readonly name: string
  readonly #core: Hypercore
  readonly #session: Hypercore
  /** Requests that are not answered yet. */
  #pending = 0
  readonly #prefetched = new Map<number, Promise<Uint8Array>>()

  constructor(name: string, core: Hypercore) {
    this.name = name
    this.#core = core
    // raw bytes: sessions do not inherit valueEncoding
    this.#session = core.session()
  }

  async ready(): Promise<void> {
    await this.#session.ready()
  }

  /** Whether the block is in the store. */
  async isStored(index: number): Promise<boolean> {
    return await this.#session.has(index)
  }

  /** The number of blocks the core is known to have. */
  get length(): number {
    return this.#session.length
  }

  /** Requests a block that will be needed. It need not exist yet: peers answer a pending request as soon as it does. */
  prefetch(index: number): void {
    if (this.#prefetched.has(index)) return
    const block = this.#request(index)
    this.#prefetched.set(index, block)
    // no window counts a prefetched block, so a long one is not held: `get` reads it again, from the store
    block.then((bytes) => bytes.byteLength > MAX_BLOCK_BYTES && this.#prefetched.delete(index), ignore)
  }

  /** The block, once it exists. */
  get(index: number): Promise<Uint8Array> {
    const block = this.#prefetched.get(index) ?? this.#request(index)
    this.#prefetched.delete(index)
    return block
  }

  async close(): Promise<void> {
    const cancelled = this.#pending
    await this.#session.close()
    if (this.#core.closing !== null) return
    // hypercore 11.37.1 keeps cancelled requests in its queue, and a later request behind them stalls: docs/upstream.md
    for (let request = 0; request < cancelled; request++) this.#core.core.replicator.updateAll()
  }

  #request(index: number): Promise<Uint8Array> {
    const block = this.#session.get(index)
    const settle = (): void => {
      this.#pending--
    }
    this.#pending++
    block.then(settle, settle)
    return block
  }
}

/**
 * Waits for a block that exists, and reports a delay. Throws NodeError `GONE` after the timeout, which is for peers: a stored block
 * may take longer on a slow disk.
 */
export async function awaitBlock(
  block: Promise<Uint8Array>,
  blocks: Blocks,
  index: number,
  { onStatus, timeout }: WaitOptions
): Promise<Uint8Array> {
  const core = blocks.name
  const stall = setTimeout(() => onStatus({ state: 'waiting', core, index }), STALL_MS)
  try {
    const bytes = await withTimeout(block, { timeout })
    if (bytes !== null) return bytes
    if (await blocks.isStored(index)) return await block
  } finally {
    clearTimeout(stall)
  }
  throw new NodeError(
    'GONE',
    `block ${index} of core ${core} did not arrive within ${timeout / 1000} s: no connected peer has sent it`
  )
}

/** Runs `work` on the blocks of a core, which it then closes. Null if the signal aborts. */
export async function withBlocks<T>(
  blocks: Blocks,
  signal: AbortSignal,
  work: () => Promise<T>
): Promise<T | null> {
  const stop = (): void => void blocks.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    await blocks.ready()
    return await work()
  } catch (error) {
    if (signal.aborted) return null
    throw translate(error)
  } finally {
    signal.removeEventListener('abort', stop)
    await blocks.close()
  }
}
