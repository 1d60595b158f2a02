import type Corestore from 'corestore'
import type { Peer } from 'hypercore'
import { ignore } from '../errors.ts'

/** A changed head is compared after this time, together with others … */
const COMPARE_EVERY_MS = 1000

/** … at most this many at a time: 10,000 cores must not cost 10,000 signatures. */
const COMPARED_AT_ONCE = 16

/** A reader of a part of the log fetches a block that it needs for a comparison within this time. */
const FETCH_MS = 5000

/**
 * Compares the heads that peers of one core have signed. Hypercore 11.37 does so only if a peer is longer and its proof does not fit.
 * A peer of the same length, or a shorter one, may have another history, too. So the longer side requests the signature and tree of
 * the other, and Hypercore compares them with its own: two valid ones that differ are a conflict, and the log has forked (`History`).
 *
 * The journal is compared when peers connect and when either side grows, a data core when it grows. The owner of a core compares it
 * whenever a peer is longer. Hypercore never would: a writer's cores do not take over blocks from peers.
 */
export class Heads {
  readonly #store: Corestore
  readonly #journals = new WeakSet<object>()
  /** The length of a peer when it was last compared, or connected. */
  readonly #lengths = new WeakMap<Peer, number>()
  readonly #due = new Set<Peer>()
  #timer: NodeJS.Timeout | undefined

  constructor(store: Corestore) {
    this.#store = store
  }

  /** `core` is the journal of a log. */
  addJournal(core: object): void {
    this.#journals.add(core)
  }

  /** Call this when a peer has announced its length of a core. */
  onRemoteLength(peer: Peer): void {
    const before = this.#lengths.get(peer)
    const { core, remoteLength, remoteFork } = peer
    if (before === undefined) this.#lengths.set(peer, remoteLength)
    if (remoteFork !== core.state.fork) return
    if (isBeyondOwner(peer) || (before !== undefined && before !== remoteLength)) {
      this.#due.add(peer)
      this.#compareSoon()
    } else if (before === undefined && this.#journals.has(core)) {
      this.#compare(peer).catch(ignore)
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#due.clear()
  }

  #compareSoon(): void {
    if (this.#due.size === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      // peers can connect and leave faster than they are compared
      for (const peer of this.#due) if (peer.removed) this.#due.delete(peer)
      for (const peer of [...this.#due].slice(0, COMPARED_AT_ONCE)) {
        this.#due.delete(peer)
        this.#lengths.set(peer, peer.remoteLength)
        this.#compare(peer).catch(ignore)
      }
      this.#compareSoon()
    }, COMPARE_EVERY_MS).unref()
  }

  async #compare(peer: Peer): Promise<void> {
    const { core, remoteLength } = peer
    // the longer side compares
    if (remoteLength > core.state.length && !isBeyondOwner(peer)) return
    const length = Math.min(remoteLength, core.state.length)
    if (length === 0 || peer.removed) return
    // the last block brings the hashes of the tree of this length
    if (!core.bitfield.get(length - 1)) {
      if (!this.#journals.has(core)) return
      await this.#fetch(core.key as Uint8Array, length - 1)
    }
    if (peer.removed || core.closing !== null) return
    // Hypercore sends the same request if a proof does not fit: it checks the answer to this id for a conflict
    const upgrade = { start: 0, length }
    peer.wireRequest.send({ id: 0, fork: core.state.fork, block: null, hash: null, seek: null, upgrade })
  }

  async #fetch(key: Uint8Array, index: number): Promise<void> {
    const session = this.#store.get({ key })
    try {
      await session.get(index, { timeout: FETCH_MS })
    } finally {
      await session.close()
    }
  }
}

/** Whether the peer has more of a core than its owner, this node: then the owner's key has signed elsewhere. */
function isBeyondOwner({ core, remoteLength }: Peer): boolean {
  return core.header.keyPair !== null && remoteLength > core.state.length
}
