import { type CoreKey, keyFromBytes } from '@many-cores/protocol'
import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { Peer, SharedCore } from 'hypercore'
import { ignore, translate } from '../errors.ts'
import { Reporter } from '../reporter.ts'

/** A stored block that cannot be read. */
export interface DamagedBlock {
  readonly key: CoreKey
  readonly index: number
  /** Whether a peer has sent it again. */
  readonly isRepaired: boolean
}

/**
 * Treats a damaged block as a missing one: it is no longer offered, and is fetched from the first peer that has it. The stored hashes
 * prove the new block. Without this, Hypercore 11.37 closes the connection to each peer that requests such a block. Reports each damaged
 * block, and each repair.
 */
export class Damage extends Reporter<DamagedBlock> {
  readonly #store: Corestore
  readonly #kept = new WeakSet<Peer>()

  constructor(store: Corestore) {
    super()
    this.#store = store
  }

  /** The block; null if it is not stored, or damaged. */
  async read(core: Hypercore, index: number): Promise<Uint8Array | null> {
    try {
      return await core.get(index, { wait: false })
    } catch (error) {
      if (!this.#dropIfDamaged(core.core, index, error)) throw error
      return null
    }
  }

  /** From now on, a request by `peer` for a damaged block does not close its connection. */
  keepConnected(peer: Peer): void {
    if (this.#kept.has(peer)) return
    this.#kept.add(peer)
    const handle = peer._handleRequest.bind(peer)
    peer._handleRequest = async (request) => {
      try {
        await handle(request)
      } catch (error) {
        if (request.block === null || !this.#dropIfDamaged(peer.core, request.block.index, error)) throw error
        // the peer knows by now that the block is missing
        peer.oncancel({ request: request.id })
        peer.wireNoData.send({ request: request.id, reason: 0 })
      }
    }
  }

  /** Whether `error` says that the block is damaged. If so, the block is missing from now on. */
  #dropIfDamaged(core: SharedCore, index: number, error: unknown): boolean {
    if (translate(error).code !== 'STORE_DAMAGED' || core.key === null) return false
    if (!core.bitfield.get(index)) return true
    core._setBitfieldRanges(index, index + 1, false)
    core.updateContiguousLength({ start: index, length: 1, drop: true })
    core.replicator.onhave(index, 1, true)
    // a peer takes the drop for the end of our blocks: offer the ones after it again
    core.replicator.onhave(index + 1, core.state.length - index - 1, false)
    const block = { key: keyFromBytes(core.key), index, isRepaired: false }
    this.report(block)
    this.#repair(core.key, block).catch(ignore)
    return true
  }

  /** Waits for a peer that has the block while the store is open. */
  async #repair(key: Uint8Array, block: DamagedBlock): Promise<void> {
    const session = this.#store.get({ key })
    try {
      await session.ready()
      // not `session.get`, which would read the stored block
      await session.core.replicator.addBlock(session.activeRequests, block.index, false).promise
      this.resolve(block, { ...block, isRepaired: true })
    } finally {
      await session.close()
    }
  }
}
