import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { Children } from './children.ts'
import { NodeError } from './errors.ts'
import type { Damage } from './integrity/damage.ts'
import type { Heads } from './integrity/heads.ts'
import type { History } from './integrity/history.ts'
import type { Peers } from './network/peers.ts'
import type { OnStatus } from './status.ts'
import type { CleanShutdown } from './store/clean-shutdown.ts'
import type { StorageFaults } from './store/storage-faults.ts'
import type { WalSync } from './store/wal-sync.ts'

/** What writers and readers share of a node, and its user never sees: upstream types end here. */
export interface Internals {
  readonly store: Corestore
  /** Whether the store was made just now. */
  readonly isNew: boolean
  /** Tells when what was written to the store is on the disk. */
  readonly wal: WalSync
  readonly onStatus: OnStatus
  /** Finds peers of the log of this core from now on; resolves when those of this machine can find us. */
  readonly join: (bootstrap: Hypercore) => Promise<void>
  /** Resolves when the first look for peers of this log, which `join` begins, is over on every network, or after so many ms. */
  readonly looked: (bootstrap: Hypercore, milliseconds: number, signal?: AbortSignal) => Promise<void>
  /** Takes damaged blocks for missing ones. */
  readonly damage: Damage
  /** Compares what peers have signed. */
  readonly heads: Heads
  /** Reports cores of the store that have forked. */
  readonly history: History
  /** Whether what peers send can be stored. */
  readonly faults: StorageFaults
  /** Whether the store's last writer shut down cleanly, and whether this one does. */
  readonly cleanShutdown: CleanShutdown
  readonly peers: Peers
  /** Why nobody is connected, for people. */
  readonly whyAlone: () => string
  readonly children: Children
  /** Claims the store's log for a writer. Returns the function that releases it. Throws NodeError `BAD_OPTION` if it is claimed. */
  readonly claimLog: () => () => void
}

// A map beside the public object keeps upstream types out of its declaration, which an untyped consumer would see as any.
const nodes = new WeakMap<object, Internals>()

export function setInternals(node: object, internals: Internals): void {
  nodes.set(node, internals)
}

/** The internals of an open node. Throws NodeError `CLOSED`. */
export function internalsOf(node: object): Internals {
  const internals = nodes.get(node)
  if (internals === undefined)
    throw new NodeError('CLOSED', 'the node is closed, or was not made by openNode')
  return internals
}

/** From now on `internalsOf(node)` throws. */
export function dropInternals(node: object): void {
  nodes.delete(node)
}
