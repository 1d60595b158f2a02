import b4a from 'b4a'
import type Corestore from 'corestore'
import { NodeError } from './errors.ts'
import { type Child, dropInternals, setInternals } from './internals.ts'
import { createLocalNetwork } from './network/local.ts'
import type { Network, NetworkEvents } from './network/network.ts'
import { createPeers } from './network/peers.ts'
import { createSwarm, parseAddress } from './network/swarm.ts'
import type { OnStatus } from './status.ts'
import { openStore } from './store.ts'

export interface NodeOptions {
  /** The directory of the store; made where there is none. One process at a time owns it. */
  readonly storage: string
  /** `host:port` of a private DHT's nodes instead of the public one. Default: none. */
  readonly bootstrap?: readonly string[]
  /** Only processes of this user on this machine are found; no DHT is used. Default false. */
  readonly local?: boolean
  /** Where rendezvous directories are. Default: `$XDG_RUNTIME_DIR/many-cores`, else one of the user's own in the temporary directory. */
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

/** The alias of the key pair that peers see, derived from the store's own secret. */
const PEER_KEY_NAME = 'many-cores/peer'

/**
 * Opens a store and gets ready to find peers; nothing is sent before a writer or a reader is opened on it.
 *
 * @throws NodeError `STORE_IN_USE`, `STORE_REFUSED`, `STORE_FULL` or `BAD_OPTION`; the reason of `signal` if it is aborted.
 */
export async function openNode(options: NodeOptions): Promise<Node> {
  const { storage, bootstrap = [], local = false, onStatus = ignore, signal } = options
  signal?.throwIfAborted()
  if (local && bootstrap.length > 0)
    throw new NodeError('BAD_OPTION', 'local and bootstrap exclude each other: local uses no DHT')
  for (const address of bootstrap) parseAddress(address)
  const store = await openStore(storage)
  try {
    signal?.throwIfAborted()
    return await assemble(store, { ...options, bootstrap, local, onStatus })
  } catch (error) {
    await store.close()
    throw error
  }
}

type Settled = NodeOptions & Required<Pick<NodeOptions, 'bootstrap' | 'local' | 'onStatus'>>

async function assemble(
  store: Corestore,
  { storage, bootstrap, local, rendezvous, onStatus }: Settled
): Promise<Node> {
  const keyPair = await store.createKeyPair(PEER_KEY_NAME)
  let closing: Promise<void> | null = null
  // that peers go when we close is nobody's news
  const report: OnStatus = (status) => closing === null && onStatus(status)
  const peers = createPeers(store, report)
  const faults = new Map<string, string>()
  const events: NetworkEvents = {
    onconnection: peers.add,
    onunreachable: (via, reason) => {
      faults.set(via, reason)
      report({ state: 'unreachable', via, reason })
    }
  }
  const nearby = createLocalNetwork({
    keyPair,
    ...events,
    ...(rendezvous === undefined ? {} : { root: rendezvous })
  })
  const networks: Network[] = [nearby]
  if (!local) networks.push(createSwarm({ keyPair, bootstrap, ...events }))
  const children = new Set<Child>()

  const node: Node = {
    storage,
    id: b4a.toString(keyPair.publicKey, 'hex'),
    get peers() {
      return peers.count()
    },
    close: () => {
      closing ??= end()
      return closing
    },
    [Symbol.asyncDispose]: () => node.close()
  }

  const end = async (): Promise<void> => {
    dropInternals(node)
    const steps = [
      async () => void (await Promise.all([...children].map((child) => child.close()))),
      async () => void (await Promise.all(networks.map((network) => network.close()))),
      () => peers.close(),
      () => store.close()
    ]
    await runAll(steps)
  }

  setInternals(node, {
    store,
    onStatus: report,
    join: async (discoveryKey) => {
      report({ state: 'finding' })
      const [here, ...elsewhere] = networks.map((network) => network.join(discoveryKey))
      for (const joining of elsewhere)
        joining.catch((error: unknown) => events.onunreachable('dht', String(error)))
      await here
    },
    peerCount: peers.count,
    whyAlone: () => whyAlone(local, faults),
    adopt: (child) => {
      children.add(child)
      return () => void children.delete(child)
    }
  })
  return node
}

/** Runs every step in order even if one fails, then throws the first error. */
async function runAll(steps: ReadonlyArray<() => Promise<void>>): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) await step().catch((error: unknown) => errors.push(error))
  if (errors.length > 0) throw errors[0]
}

function whyAlone(local: boolean, faults: ReadonlyMap<string, string>): string {
  const nearby = faults.get('local') ?? 'no other process on this machine has it open'
  if (local) return `${nearby}, and with local nobody else is asked`
  return `${nearby}, and ${faults.get('dht') ?? 'nobody answered over the DHT'}`
}

function ignore(): void {}
