import { resolve } from 'node:path'
import { keyToBytes, parseKey } from '@many-cores/protocol'
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import { Children } from './children.ts'
import { ignore, NodeError, translate } from './errors.ts'
import { Damage } from './integrity/damage.ts'
import { Heads } from './integrity/heads.ts'
import { History } from './integrity/history.ts'
import { dropInternals, setInternals } from './internals.ts'
import { parseAddress } from './network/address.ts'
import { PEER_KEY_NAME, type PeerKeyPair } from './network/identity.ts'
import { LanNetwork } from './network/lan.ts'
import { checkRootLength, LocalNetwork, rendezvousRoot } from './network/local.ts'
import type { Network, NetworkOptions } from './network/network.ts'
import { createPeers } from './network/peers.ts'
import { SwarmNetwork } from './network/swarm.ts'
import type { OnStatus } from './status.ts'
import { CleanShutdown } from './store/clean-shutdown.ts'
import { StorageFaults } from './store/storage-faults.ts'
import { closeCorestore, type OpenStore, openStore } from './store/store.ts'
import { comesTrue } from './waiting.ts'

export interface NodeOptions {
  /** The directory of the store; made where there is none. One process at a time owns it. */
  readonly storage: string
  /**
   * Whether what is acknowledged, announced or remembered is on the disk before (fsync). Without it the operating system has it: it
   * survives this process, but a power cut can take the newest lines, and a log whose writer lost lines that a reader has may end
   * up with two histories. Default true.
   */
  readonly fsync?: boolean
  /** `host:port` of a private DHT's nodes instead of the public one. Default: none. */
  readonly bootstrap?: readonly string[]
  /** Only processes of this user on this machine are found; nothing else is used. Default false. */
  readonly local?: boolean
  /** Whether those in the same network are found by multicast DNS, too. Default true, unless `local`. */
  readonly lan?: boolean
  /**
   * The public key, in any spelling, of a relay that connects two peers whose NATs let no direct connection come about.
   * Default: none.
   */
  readonly relay?: string
  /**
   * The public keys, in any spelling, of the only peers that are connected, whichever way they are found; each is what
   * `id` says on the other side. An empty list lets nobody in. Default: everybody.
   */
  readonly allow?: readonly string[]
  /**
   * How many peers are connected at most; at least 1. On this machine, the writer of the log is always called beside them.
   * Default 128.
   */
  readonly maxPeers?: number
  /**
   * Where rendezvous directories are: a path of at most 63 bytes. Default: `$XDG_RUNTIME_DIR/many-cores`, else one of the
   * user's own in the temporary directory.
   */
  readonly rendezvous?: string
  /** Hears what happens around the node. Default: nobody. */
  readonly onStatus?: OnStatus
  /** Gives up opening. */
  readonly signal?: AbortSignal
}

/** A store and its networks: what writers and readers are opened on. Made by `openNode`. */
export interface Node {
  /** The directory of the store. */
  readonly storage: string
  /** This store's public key among peers, 64 hex digits; the same at every start. */
  readonly id: string
  /** How many peers are connected now. */
  readonly peers: number
  /**
   * Closes the writers and readers, then the networks, then the store. Idempotent; takes at most about 2 s more than the
   * writers' last flush, even if a network does not answer.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Hyperswarm's are 64; so many readers of one machine are to get everything from one writer, and others beside. */
const DEFAULT_MAX_PEERS = 128

/**
 * Opens a store and gets ready to find peers; nothing is sent before a writer or a reader is opened on it.
 *
 * @throws NodeError `STORE_IN_USE`, `STORE_REFUSED`, `STORE_FULL` or `BAD_OPTION`; the reason of `signal` if it is aborted.
 */
export function openNode(options: NodeOptions): Promise<Node> {
  return openNodeAs(null, options)
}

/** The same, but peers see this key pair instead of the store's own. */
export async function openNodeAs(keyPair: PeerKeyPair | null, options: NodeOptions): Promise<Node> {
  const { bootstrap = [], local = false, fsync = true, onStatus = ignore, signal } = options
  const { lan = !local, relay, allow, maxPeers = DEFAULT_MAX_PEERS, rendezvous } = options
  signal?.throwIfAborted()
  if (typeof options.storage !== 'string' || options.storage === '')
    throw new NodeError('BAD_OPTION', 'storage names no directory: it is a path')
  if (local && (bootstrap.length > 0 || relay !== undefined || lan))
    throw new NodeError('BAD_OPTION', 'local excludes bootstrap, relay and lan: it uses no network')
  for (const address of bootstrap) parseAddress(address)
  if (rendezvous !== undefined) checkRootLength(rendezvous)
  const relayKey = relay === undefined ? null : keyToBytes(parseKey(relay))
  const allowed = allow === undefined ? null : new Set<string>(allow.map(parseKey))
  if (!Number.isSafeInteger(maxPeers) || maxPeers < 1)
    throw new NodeError('BAD_OPTION', `maxPeers is ${maxPeers}; it is a whole number of 1 or more`)
  // the process may change its directory
  const storage = resolve(options.storage)
  const opened = await openStore(storage, { fsync })
  try {
    signal?.throwIfAborted()
    const settled = { ...options, storage, bootstrap, local, lan, relayKey, onStatus, allowed, maxPeers }
    return assemble(opened, settled, keyPair ?? (await opened.store.createKeyPair(PEER_KEY_NAME)))
  } catch (error) {
    await opened.wal.close()
    await closeCorestore(opened.store)
    throw error
  }
}

type Settled = NodeOptions &
  Required<Pick<NodeOptions, 'bootstrap' | 'local' | 'lan' | 'onStatus' | 'maxPeers'>> & {
    readonly relayKey: Uint8Array | null
    readonly allowed: ReadonlySet<string> | null
  }

function assemble({ store, isNew, wal }: OpenStore, settled: Settled, keyPair: PeerKeyPair): Node {
  const { storage, onStatus, allowed, maxPeers } = settled
  const cleanShutdown = new CleanShutdown(storage)
  const heads = new Heads(store)
  const damage = new Damage(store)
  const id = b4a.toString(keyPair.publicKey, 'hex')
  let closing: Promise<void> | null = null
  // that peers go when we close is nobody's news
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
    dropInternals(node)
    const steps = [
      () => children.close(),
      () => peers.end(),
      async () => void (await Promise.all(networks.map((network) => network.close()))),
      () => peers.close(),
      async () => heads.close(),
      () => wal.close(),
      // RocksDB drops the end of a damaged log without an error; damage to its tables is an error. What cannot be flushed stays in the log.
      () => store.storage.db.flush().catch(ignore),
      () => closeCorestore(store)
    ]
    await runAll(steps)
    await cleanShutdown.writeMark()
  }

  // a writer and a reader of one log look for its peers together
  const joined = new Map<string, Promise<void>>()
  const join = async ({ discoveryKey, writable }: Hypercore): Promise<void> => {
    report({ state: 'finding' })
    const [here, ...elsewhere] = networks
    // first, and alone: loading the others would hold up who is on this machine already
    await here?.join(discoveryKey as Uint8Array, writable)
    for (const network of elsewhere) void network.join(discoveryKey as Uint8Array, writable)
  }

  let hasWriter = false
  setInternals(node, {
    store,
    isNew,
    wal,
    onStatus: report,
    join: (bootstrap) => {
      const topic = b4a.toString(bootstrap.discoveryKey as Uint8Array, 'hex')
      const joining = joined.get(topic) ?? join(bootstrap)
      joined.set(topic, joining)
      return joining
    },
    looked: async ({ discoveryKey }, milliseconds, stop) => {
      const isSearching = (network: Network): boolean => network.isSearching(discoveryKey as Uint8Array)
      await comesTrue(() => !networks.some(isSearching), milliseconds, stop)
    },
    cleanShutdown,
    heads,
    damage,
    history: new History(store, storage),
    faults: new StorageFaults(store, wal),
    peers,
    whyAlone: () => peers.whyRefused()?.text ?? whyAlone(networks, settled.local),
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

/** Runs every step in order even if one fails, then throws the first error. */
async function runAll(steps: ReadonlyArray<() => Promise<void>>): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) await step().catch((error: unknown) => errors.push(error))
  if (errors.length > 0) throw translate(errors[0])
}

function createNetworks(
  options: NetworkOptions,
  { bootstrap, local, lan, rendezvous = rendezvousRoot(), relayKey: relay, maxPeers }: Settled
): readonly Network[] {
  const here = new LocalNetwork({ ...options, root: rendezvous })
  if (local) return [here]
  const world = new SwarmNetwork({ ...options, bootstrap, maxPeers, relay })
  return lan ? [here, new LanNetwork(options), world] : [here, world]
}

/** Networks that found peers explain more than those that found none. */
function whyAlone(networks: readonly Network[], local: boolean): string {
  const results = networks.map((network) => network.searchResult())
  const found = results.filter((result) => result.found > 0)
  const reasons = (found.length > 0 ? found : results).map(({ reason }) => reason)
  return `${reasons.join('; ')}${local ? ' (--local: nothing else was searched)' : ''}`
}
