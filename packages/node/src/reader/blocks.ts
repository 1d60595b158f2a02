import { MAX_BLOCK_BYTES } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { ignore, NodeError, translate } from '../errors.ts'
import type { OnStatus } from '../status.ts'
import { within } from '../waiting.ts'

/** A block that exists and that nobody sends is reported after so long. */
const STALL_MS = 5000

/**
 * The blocks of one core, for one follower: a session of its own, so that closing it ends the follower's pending reads and
 * nobody else's.
 */
export class Blocks {
  readonly name: string
  readonly #session: Hypercore
  readonly #asked = new Map<number, Promise<Uint8Array>>()

  constructor(name: string, core: Hypercore) {
    this.name = name
    // bytes as they are: sessions do not inherit valueEncoding
    this.#session = core.session()
  }

  async ready(): Promise<void> {
    await this.#session.ready()
  }

  /** How many blocks the core is known to have. */
  get length(): number {
    return this.#session.length
  }

  /** Asks for a block before anybody needs it, existing or not: a request that waits at the peer is answered at once. */
  ask(index: number): void {
    if (this.#asked.has(index)) return
    const block = this.#session.get(index)
    this.#asked.set(index, block)
    // a long line that nobody has taken yet counts in no window: it is read again, from the store
    block.then((bytes) => bytes.byteLength > MAX_BLOCK_BYTES && this.#asked.delete(index), ignore)
  }

  /** The block, however long it takes to exist. */
  take(index: number): Promise<Uint8Array> {
    this.ask(index)
    const block = this.#asked.get(index) as Promise<Uint8Array>
    this.#asked.delete(index)
    return block
  }

  async close(): Promise<void> {
    await this.#session.close()
  }
}

export interface Patience {
  readonly onStatus: OnStatus
  /** How long a block that exists may take, in ms; 0 = for ever. */
  readonly timeout: number
}

/** A block that exists: says so when it does not come. Throws NodeError `GONE` after the timeout. */
export async function awaitBlock(
  block: Promise<Uint8Array>,
  core: string,
  index: number,
  patience: Patience
): Promise<Uint8Array> {
  const { onStatus, timeout } = patience
  const stall = setTimeout(() => onStatus({ state: 'waiting', core, index }), STALL_MS)
  try {
    const bytes = await within(block, { timeout })
    if (bytes === null) throw gone(core, index, timeout)
    return bytes
  } finally {
    clearTimeout(stall)
  }
}

/** Ends as the follower wants to end: quietly if it was stopped, else with the error in our words. */
export function endOf(error: unknown, signal: AbortSignal): void {
  if (!signal.aborted) throw translate(error)
}

function gone(core: string, index: number, timeout: number): NodeError {
  return new NodeError(
    'GONE',
    `block ${index} of core ${core} did not come within ${timeout / 1000} s: no connected peer has sent it`
  )
}
