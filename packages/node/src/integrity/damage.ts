import type { CoreKey } from '@many-cores/protocol'
import { keyFromBytes } from '@many-cores/protocol'
import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { Peer, SharedCore } from 'hypercore'
import { ignore, translate } from '../errors.ts'

/** A block that is stored, and cannot be read any more. */
export interface DamagedBlock {
  readonly key: CoreKey
  readonly index: number
  /** Whether a peer has sent it again. */
  readonly isRepaired: boolean
}

/**
 * Takes damaged blocks for missing ones: they are not offered to peers any more, and fetched from the first peer that has them; the
 * hashes that are stored prove that what it sends is right. All other blocks are served as before. Hypercore 11.37 ends the
 * connection to each peer that asks for such a block.
 */
export class Damage {
  readonly #store: Corestore
  readonly #found = new Set<DamagedBlock>()
  readonly #listeners = new Set<(block: DamagedBlock) => void>()
  readonly #watched = new WeakSet<Peer>()

  constructor(store: Corestore) {
    this.#store = store
  }

  /** Tells of every damaged block when it is found, and when it is repaired; returns what ends it. */
  watch(listener: (block: DamagedBlock) => void): () => void {
    this.#listeners.add(listener)
    for (const block of this.#found) listener(block)
    return () => void this.#listeners.delete(listener)
  }

  /** The block, if it is stored and can be read. */
  async read(core: Hypercore, index: number): Promise<Uint8Array | null> {
    try {
      return await core.get(index, { wait: false })
    } catch (error) {
      if (!this.#take(core.core, index, error)) throw error
      return null
    }
  }

  /** From now on a damaged block does not end what `peer` asks for. */
  guard(peer: Peer): void {
    if (this.#watched.has(peer)) return
    this.#watched.add(peer)
    const handle = peer._handleRequest.bind(peer)
    peer._handleRequest = async (request) => {
      try {
        await handle(request)
      } catch (error) {
        if (request.block === null || !this.#take(peer.core, request.block.index, error)) throw error
        // it has just been told that the block is not here
        peer.oncancel({ request: request.id })
        peer.wireNoData.send({ request: request.id, reason: 0 })
      }
    }
  }

  /** Whether `error` says that the block is damaged; then it is missing from now on. */
  #take(core: SharedCore, index: number, error: unknown): boolean {
    if (translate(error).code !== 'STORE_DAMAGED' || core.key === null) return false
    if (!core.bitfield.get(index)) return true
    core._setBitfieldRanges(index, index + 1, false)
    core.updateContiguousLength({ start: index, length: 1, drop: true })
    core.replicator.onhave(index, 1, true)
    // a peer takes the drop for the end of what it can have from us
    core.replicator.onhave(index + 1, core.state.length - index - 1, false)
    const block = { key: keyFromBytes(core.key), index, isRepaired: false }
    this.#found.add(block)
    this.#say(block)
    this.#repair(core.key, block).catch(ignore)
    return true
  }

  /** Waits for as long as the store is open. */
  async #repair(key: Uint8Array, block: DamagedBlock): Promise<void> {
    const session = this.#store.get({ key })
    try {
      await session.ready()
      // not `session.get`: that would read what is stored
      await session.core.replicator.addBlock(session.activeRequests, block.index, false).promise
      this.#found.delete(block)
      this.#say({ ...block, isRepaired: true })
    } finally {
      await session.close()
    }
  }

  #say(block: DamagedBlock): void {
    for (const listener of this.#listeners) listener(block)
  }
}
