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
import type { CopyMark } from './store/copy-mark.ts'
import type { Home } from './store/home.ts'
import type { StorageFaults } from './store/storage-faults.ts'
import type { WalSync } from './store/wal-sync.ts'

/** What writers and readers share of a node. It is not public: it has upstream types. */
export interface Internals {
  readonly store: Corestore
  /** Where cursors are. */
  readonly home: Home
  /** Whether the store was just created. */
  readonly isNew: boolean
  /** Waits until writes are on disk. */
  readonly wal: WalSync
  readonly onStatus: OnStatus
  /** From now on, finds peers of the log. Resolves when peers on this machine can find this node. */
  readonly join: (bootstrap: Hypercore) => Promise<void>
  /** Resolves when every network has finished the first search for peers, which `join` starts, or after the timeout. */
  readonly waitForSearch: (bootstrap: Hypercore, timeout: number, signal?: AbortSignal) => Promise<void>
  readonly damage: Damage
  readonly heads: Heads
  readonly history: History
  readonly faults: StorageFaults
  readonly cleanShutdown: CleanShutdown
  readonly copyMark: CopyMark
  readonly peers: Peers
  /** Why no peer is connected, for people. */
  readonly explainNoPeers: () => string
  readonly children: Children
  /** Claims the store's log for a writer. Returns the function that releases it. Throws NodeError `BAD_OPTION` if it is claimed. */
  readonly claimLog: () => () => void
}

/** The internals of open nodes. A property of the node would put upstream types into its declaration. */
export const openNodes: WeakMap<object, Internals> = new WeakMap()

/** Throws NodeError `CLOSED`. */
export function internalsOf(node: object): Internals {
  const internals = openNodes.get(node)
  if (internals === undefined)
    throw new NodeError('CLOSED', 'the node is closed, or was not opened by openNode')
  return internals
}
