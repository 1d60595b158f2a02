import { resolve } from 'node:path'
import { keyFromBytes, keyToBytes, parseKey } from '@many-cores/protocol'
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import { Children } from './children.ts'
import { ignore, NodeError, translate } from './errors.ts'
import { Damage } from './integrity/damage.ts'
import { Heads } from './integrity/heads.ts'
import { History } from './integrity/history.ts'
import { openNodes } from './internals.ts'
import { parseAddress } from './network/address.ts'
import { deriveId, type PeerKeyPair, peerIdOf, peerKeyPair } from './network/identity.ts'
import { LanNetwork } from './network/lan.ts'
import { LocalNetwork, rendezvousRoot } from './network/local.ts'
import type { Network, NetworkOptions } from './network/network.ts'
import { createPeers } from './network/peers.ts'
import { SwarmNetwork } from './network/swarm.ts'
import { checkOptions } from './options.ts'
import type { OnStatus } from './status.ts'
import { CleanShutdown } from './store/clean-shutdown.ts'
import { CopyMark } from './store/copy-mark.ts'
import { Home } from './store/home.ts'
import { StorageFaults } from './store/storage-faults.ts'
import { closeCorestore, type OpenStore, openStore } from './store/store.ts'
import { waitUntil } from './waiting.ts'

export interface NodeOptions {
  /** The directory of the store. Created if it does not exist. One process at a time can open it. */
  readonly storage: string
  /**
   * Whether everything is on disk (fsync) before it is acknowledged, announced or remembered. Without it, a power loss can take the
   * newest lines, and if a reader has lines that its writer lost, the log may fork. Default true.
   */
  readonly fsync?: boolean
  /** `host:port` of the nodes of a private DHT, used instead of the public one. Default: none. */
  readonly bootstrap?: readonly string[]
  /** Finds only processes of this user on this machine, and uses no network. Default false. */
  readonly local?: boolean
  /** Finds peers in the same network by multicast DNS. Default true, unless `local`. */
  readonly lan?: boolean
  /** The public key, in any spelling, of a relay for peers whose NATs prevent a direct connection. Default: none. */
  readonly relay?: string
  /** The only peers to connect: the `id` of each, in any spelling. An empty list allows no peer. Default: all peers. */
  readonly allow?: readonly string[]
  /** The limit of connected peers, at least 1. A reader connects to the log's writer on its machine in any case. Default 128. */
  readonly maxPeers?: number
  /**
   * The directory where processes of this user on this machine find each other: an absolute path of at most 63 bytes. Default:
   * `$MANY_CORES_RENDEZVOUS`, or `/tmp/many-cores-<uid>`.
   */
  readonly rendezvous?: string
  /** Called with each event of the node. */
  readonly onStatus?: OnStatus
  /** Aborts opening. */
  readonly signal?: AbortSignal
}

/** A store and its networks, opened by `openNode` or `openLogNode`. Writers and readers are opened on it. */
export interface Node {
  /** The directory of the store. */
  readonly storage: string
  /** Whether another process has the store of the log: this node has a temporary one, which is deleted when it closes. */
  readonly isTemporary: boolean
  /**
   * What peers have to allow, 64 hex digits: the public key of the store, or of the home, from which that of each log is derived. A copy
   * has another one.
   */
  readonly id: string
  /** How many peers are connected now. */
  readonly peers: number
  /**
   * Closes the writers and readers, then the networks, then the store. Idempotent. After the last flush of the writers, it takes at
   * most about 2 s, even if a network does not answer.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Twice the default of Hyperswarm: one writer can serve 64 readers on its machine, and others. */
const DEFAULT_MAX_PEERS = 128

/**
 * Opens a store. It searches for peers once a writer or a reader is opened on it.
 *
 * @throws NodeError `STORE_IN_USE`, `STORE_REFUSED`, `STORE_FULL` or `BAD_OPTION`; the reason of `signal` if it is aborted.
 */
export async function openNode(options: NodeOptions): Promise<Node> {
  checkOptions('NodeOptions', options)
  return await openNodeIn({}, options)
}

/** Where a node has what is not in its store, if not beside it. */
export interface Place {
  /** Where the cursors are. Default: beside the store. */
  readonly home?: Home
  /** What identifies the node to peers. Default: the key pair of the store. */
  readonly keyPair?: PeerKeyPair
  /** The id that peers have to allow. Default: that of the key pair. */
  readonly id?: string
  /** The ids of peers that are always allowed. Default: none. */
  readonly siblings?: readonly string[]
  /** Whether the store is temporary. Default: it is not. */
  readonly isTemporary?: boolean
  /** Called once the node is closed. */
  readonly onClosed?: () => Promise<void>
}

/** As `openNode`. */
export async function openNodeIn(place: Place, options: NodeOptions): Promise<Node> {
  const { bootstrap = [], local = false, fsync = true, onStatus = ignore, signal } = options
  const { lan = !local, relay, allow, maxPeers = DEFAULT_MAX_PEERS } = options
  signal?.throwIfAborted()
  if (!options.storage)
    throw new NodeError('BAD_OPTION', 'storage is empty: expected the path of a directory')
  if (local && (bootstrap.length > 0 || relay !== undefined || lan))
    throw new NodeError('BAD_OPTION', 'local uses no network. Remove bootstrap, relay and lan, or local')
  for (const address of bootstrap) parseAddress(address)
  const rendezvous = rendezvousRoot(options.rendezvous)
  const relayKey = relay === undefined ? null : keyToBytes(parseKey(relay))
  const allowed =
    allow === undefined ? null : new Set<string>([...allow.map(parseKey), ...(place.siblings ?? [])])
  if (!Number.isSafeInteger(maxPeers) || maxPeers < 1)
    throw new NodeError('BAD_OPTION', `invalid maxPeers ${maxPeers}: expected a whole number of 1 or more`)
  // the process may change its working directory
  const storage = resolve(options.storage)
  const opened = await openStore(storage, { fsync })
  try {
    signal?.throwIfAborted()
    const keyPair = place.keyPair ?? (await peerKeyPair(storage, { fsync }))
    const home = place.home ?? new Home(storage, fsync)
    const settled = {
      ...options,
      storage,
      bootstrap,
      local,
      lan,
      rendezvous,
      relayKey,
      onStatus,
      allowed,
      maxPeers
    }
    return assemble(opened, settled, { ...place, home, keyPair })
  } catch (error) {
    await opened.wal.close()
    await closeCorestore(opened.store)
    throw error
  }
}

type Settled = NodeOptions &
  Required<Pick<NodeOptions, 'bootstrap' | 'local' | 'lan' | 'rendezvous' | 'onStatus' | 'maxPeers'>> & {
    readonly relayKey: Uint8Array | null
    /** With the ids that are derived from those in `allow`. */
    readonly allowed: Set<string> | null
  }

interface SettledPlace extends Omit<Place, 'home'> {
  readonly home: Home
  readonly keyPair: PeerKeyPair
}

function assemble({ store, isNew, wal }: OpenStore, settled: Settled, place: SettledPlace): Node {
  const { home, keyPair, isTemporary = false, onClosed } = place
  const { storage, onStatus, allow, allowed, maxPeers } = settled
  const cleanShutdown = new CleanShutdown(storage)
  const heads = new Heads(store)
  const damage = new Damage(store)
  const { id = peerIdOf(keyPair) } = place
  let closing: Promise<void> | null = null
  const report: OnStatus = (status) => closing === null && onStatus(status)
  const peers = createPeers(store, {
    id,
    allow: allowed,
    maxPeers,
    serving: { wal, heads, damage },
    onStatus: report,
    ondisconnected: (peer) => {
      for (const network of networks) network.onDisconnected(peer)
    }
  })
  const networks = createNetworks({ ...peers, keyPair, onStatus: report }, settled)
  const children = new Children()

  const node: Node = {
    storage,
    isTemporary,
    id,
    get peers() {
      return peers.count()
    },
    close: () => {
      closing ??= closeAll()
      return closing
    },
    [Symbol.asyncDispose]: () => node.close()
  }

  const closeAll = async (): Promise<void> => {
    openNodes.delete(node)
    const steps = [
      () => children.close(),
      () => peers.end(),
      async () => void (await Promise.all(networks.map((network) => network.close()))),
      () => peers.close(),
      async () => heads.close(),
      () => wal.close(),
      // RocksDB reports damage to its tables, but drops the end of a damaged log silently. If this fails, the log keeps the data.
      () => store.storage.db.flush().catch(ignore),
      () => closeCorestore(store),
      () => home.close()
    ]
    const errors: unknown[] = []
    for (const step of steps) await step().catch((error: unknown) => errors.push(error))
    if (errors.length === 0) await cleanShutdown.writeMark().catch((error: unknown) => errors.push(error))
    await onClosed?.()
    if (errors.length > 0) throw translate(errors[0])
  }

  // a writer and a reader of one log share a search
  const joined = new Map<string, Promise<void>>()
  const join = async ({ key, discoveryKey, writable }: Hypercore): Promise<void> => {
    for (const peer of allow ?? []) allowed?.add(deriveId(parseKey(peer), keyFromBytes(key as Uint8Array)))
    report({ state: 'finding' })
    const [machine, ...others] = networks
    // first and alone: loading the others would delay peers on this machine
    await machine?.join(discoveryKey as Uint8Array, writable)
    for (const network of others) void network.join(discoveryKey as Uint8Array, writable)
  }

  let hasWriter = false
  openNodes.set(node, {
    store,
    home,
    isNew,
    wal,
    onStatus: report,
    join: (bootstrap) => {
      const topic = b4a.toString(bootstrap.discoveryKey as Uint8Array, 'hex')
      const joining = joined.get(topic) ?? join(bootstrap)
      joined.set(topic, joining)
      return joining
    },
    waitForSearch: async ({ discoveryKey }, milliseconds, stop) => {
      const isSearching = (network: Network): boolean => network.isSearching(discoveryKey as Uint8Array)
      await waitUntil(() => !networks.some(isSearching), milliseconds, stop)
    },
    cleanShutdown,
    copyMark: new CopyMark(storage),
    heads,
    damage,
    history: new History(store, storage),
    faults: new StorageFaults(store, wal),
    peers,
    explainNoPeers: () => peers.whyRefused()?.text ?? explainNoPeers(networks, settled.local),
    children,
    claimLog: () => {
      if (hasWriter) throw new NodeError('BAD_OPTION', 'this node already has a writer. Close it first')
      hasWriter = true
      return () => {
        hasWriter = false
      }
    }
  })
  return node
}

function createNetworks(
  options: NetworkOptions,
  { bootstrap, local, lan, rendezvous, relayKey: relay, maxPeers }: Settled
): readonly Network[] {
  const machine = new LocalNetwork({ ...options, root: rendezvous })
  if (local) return [machine]
  const internet = new SwarmNetwork({ ...options, bootstrap, maxPeers, relay })
  return lan ? [machine, new LanNetwork(options), internet] : [machine, internet]
}

/** Why no peer is connected. A network that found peers explains more than one that found none. */
function explainNoPeers(networks: readonly Network[], local: boolean): string {
  const results = networks.map((network) => network.searchResult())
  const found = results.filter((result) => result.found > 0)
  const reasons = (found.length > 0 ? found : results).map(({ reason }) => reason)
  return `${reasons.join('; ')}${local ? ' (--local: nothing else was searched)' : ''}`
}
