import type Corestore from 'corestore'
import type { Peer } from 'hypercore'

/** A head that has changed is compared after so long, together with others … */
const COMPARE_EVERY_MS = 1000

/** … of which so many are compared at a time: 10,000 cores must not cost 10,000 signatures. */
const COMPARED_AT_ONCE = 16

/** What a reader of a part of the log lacks for a comparison comes within this time. */
const FETCH_MS = 5000

/**
 * Compares what peers of one core have signed. Hypercore 11.37 does so only where a peer is longer and its proof does not fit; a
 * peer that is as long as we are, or shorter, may have another history all the same. So the longer side asks the other for its
 * signature and tree, and Hypercore compares them with what is here: where both are valid and differ, that is a conflict (`History`).
 *
 * The journal is compared when peers meet and when either grows, a data core when it grows. The owner of a core compares it whenever a
 * peer is longer: Hypercore alone would never, because a writer's cores do not take over what peers have.
 */
export class Heads {
  readonly #store: Corestore
  readonly #journals = new WeakSet<object>()
  /** How long a peer was when it was compared, or met. */
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

  /** A peer of a core has said how long it is. */
  hear(peer: Peer): void {
    const before = this.#lengths.get(peer)
    const { core, remoteLength, remoteFork } = peer
    if (before === undefined) this.#lengths.set(peer, remoteLength)
    if (remoteFork !== core.state.fork) return
    if (isBeyondOwner(peer)) {
      this.#due.add(peer)
      this.#compareSoon()
      return
    }
    if (before === remoteLength) return
    if (before === undefined) {
      if (this.#journals.has(core)) this.#compare(peer).catch(ignore)
      return
    }
    this.#due.add(peer)
    this.#compareSoon()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#due.clear()
  }

  #compareSoon(): void {
    if (this.#due.size === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      // a peer can come and go faster than it is compared
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
    // one that is longer asks us
    if (remoteLength > core.state.length && !isBeyondOwner(peer)) return
    const length = Math.min(remoteLength, core.state.length)
    if (length === 0 || peer.removed) return
    // with the block come the hashes that make up the tree of this length
    if (!core.bitfield.get(length - 1)) {
      if (!this.#journals.has(core)) return
      await this.#fetch(core.key, length - 1)
    }
    if (peer.removed || core.closing !== null) return
    // what Hypercore asks where a proof does not fit: it takes an answer with this id for a claim of a conflict
    const upgrade = { start: 0, length }
    peer.wireRequest.send({ id: 0, fork: core.state.fork, block: null, hash: null, seek: null, upgrade })
  }

  async #fetch(key: Uint8Array | null, index: number): Promise<void> {
    if (key === null) return
    const session = this.#store.get({ key })
    try {
      await session.get(index, { timeout: FETCH_MS })
    } finally {
      await session.close()
    }
  }
}

/** Whether the peer holds more of a core than we, who have its key: its owner's key has signed more, somewhere else. */
function isBeyondOwner({ core, remoteLength }: Peer): boolean {
  return core.header.keyPair !== null && remoteLength > core.state.length
}

function ignore(): void {}
