import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type Hyperswarm from 'hyperswarm'
import { ignore } from '../errors.ts'
import type { Via } from '../status.ts'
import { withTimeout } from '../waiting.ts'
import { parseAddress, whyUnresolved } from './address.ts'
import { dhtOptions } from './dht-options.ts'
import { filterDht } from './guard/dht-filter.ts'
import { EAGER_INTERVAL_MS, LookupSchedule } from './lookup-schedule.ts'
import {
  MAX_FOUND,
  type Network,
  type NetworkOptions,
  reachability,
  type SearchResult,
  unanswered
} from './network.ts'

/** Timeouts for unannouncing, if the DHT answers, and for closing its sockets. */
const UNANNOUNCE_MS = 800
const DESTROY_MS = 500

/** A DHT that can be reached answers in well under a second. */
const UNREACHABLE_MS = 5000

/** Hyperswarm's own limit. Each peer knows more peers. */
const MAX_CALLED = 64

/**
 * A node can be asked to delay an answer, by up to 10 s by default, and keeps the request until then: 300,000
 * requests of 1,200 bytes, sent within 6 s, took 600 MB. many-cores never asks for a delay.
 */
const MAX_PING_DELAY_MS = 1

/** A node of HyperDHT 6 names at most this many of the peers that it knows. */
const MAX_NAMED = 20

export interface SwarmOptions extends NetworkOptions {
  /** `host:port` of a private DHT's nodes; empty for the public DHT. */
  readonly bootstrap: readonly string[]
  readonly maxPeers: number
  /** The public key of a relay for peers that cannot be connected directly. */
  readonly relay: Uint8Array | null
}

/** DHT discovery via Hyperswarm: announces and looks up the discovery key. Connections are Noise over UDX. */
export class SwarmNetwork implements Network {
  readonly #options: SwarmOptions
  readonly #schedule = new LookupSchedule(Date.now())
  readonly #relay: string | null
  /** The discovery keys, in hex, whose first lookup is running. */
  readonly #searching = new Set<string>()
  readonly #found = new Set<string>()
  /** Connections to the relay itself. */
  readonly #relays = new Set<SecretStream>()
  #opening: Promise<Hyperswarm> | null = null
  #swarm: Hyperswarm | null = null
  #timer: NodeJS.Timeout | undefined
  /** Why the last attempt to connect failed. */
  #fault: string | null = null
  /** Why the names of the DHT's nodes cannot be resolved. */
  #unresolved: string | null = null
  #isResolving = false
  #requests = 0
  #responses = 0
  #isReachable = false
  #answeredAt = Date.now()
  /** Whether the last status reported that the DHT does not answer. */
  #isReported = false
  #isRestoring = false
  #isClosed = false

  constructor(options: SwarmOptions) {
    this.#options = options
    this.#relay = options.relay && b4a.toString(options.relay, 'hex')
  }

  async join(discoveryKey: Uint8Array): Promise<void> {
    if (this.#isClosed) return
    const topic = b4a.toString(discoveryKey, 'hex')
    this.#searching.add(topic)
    const onSearched = (): void => void this.#searching.delete(topic)
    try {
      this.#opening ??= this.#open()
      const swarm = await this.#opening
      if (this.#isClosed) return
      // not awaited: without a network it takes 12 s, and must not delay local discovery
      swarm.join(discoveryKey, { server: true, client: true })
      swarm.flush().then(onSearched, onSearched)
    } catch (error) {
      onSearched()
      this.#options.onStatus(reachability('dht', String(error)))
    }
  }

  isSearching(discoveryKey: Uint8Array): boolean {
    return !this.#isClosed && this.#searching.has(b4a.toString(discoveryKey, 'hex'))
  }

  onDisconnected(peer: string): void {
    // a peer that refuses this node is online: looking it up would get this node refused every two seconds
    if (!this.#options.isRefusing(peer)) this.#schedule.onDisconnected(peer, Date.now())
    // the firewall refused it while a better connection was open, and Hyperswarm bans refused peers
    this.#swarm?.peers.get(peer)?.ban(false)
  }

  searchResult(): SearchResult {
    const found = this.#found.size
    if (found > 0) return unanswered(found, 'the DHT', this.#whyNoAnswer)
    // a search may end before the first tick
    this.#updateReachability(Date.now())
    if (!this.#isReachable && this.#responses === 0) return { found, reason: this.#whyUnreachable }
    return { found, reason: 'no peer announces it on the DHT' }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const swarm = await this.#opening?.catch(() => null)
    clearInterval(this.#timer)
    if (!swarm) return
    this.#updateReachability(Date.now())
    const destroyed = swarm.destroy().catch(ignore)
    if (this.#isReachable && (await withTimeout(destroyed, { timeout: UNANNOUNCE_MS })) !== null) return
    // destroying the DHT makes all pending requests fail, so that the swarm's own destroy ends
    await withTimeout(swarm.dht.destroy({ force: true }).catch(ignore), { timeout: DESTROY_MS })
  }

  async #open(): Promise<Hyperswarm> {
    const { keyPair, relay, maxPeers, bootstrap, isReached, isAllowed, add } = this.#options
    // imported here: a program without a DHT does not load it, and one with a DHT prints its key first
    const [{ default: Hyperswarm }, { default: DHT }] = await Promise.all([
      import('hyperswarm'),
      import('hyperdht')
    ])
    const dht = new DHT({ ...dhtOptions(bootstrap.map(parseAddress)), maxPingDelay: MAX_PING_DELAY_MS })
    filterDht(dht)
    // Hyperswarm 4.17.2 reports neither its attempts to connect nor why they fail
    const connect = dht.connect.bind(dht)
    dht.connect = (publicKey, options) => {
      const stream = connect(publicKey, options)
      this.#onAttempt(publicKey, stream)
      return stream
    }
    const swarm = new Hyperswarm({
      keyPair,
      dht,
      maxPeers: Math.min(maxPeers, MAX_CALLED),
      firewall: (publicKey) => {
        const peer = b4a.toString(publicKey, 'hex')
        // a peer that is not allowed learns nothing, not even an address; local or LAN connections are better
        return !isAllowed(peer) || isReached(peer, 'lan')
      },
      ...(relay !== null && { relayThrough: relay })
    })
    swarm.on('connection', (stream) => {
      this.#schedule.onConnected(b4a.toString(stream.remotePublicKey, 'hex'))
      add({ stream, via: this.#viaOf(stream) })
    })
    this.#swarm = swarm
    this.#resolve()
    this.#answeredAt = Date.now()
    this.#timer = setInterval(() => this.#tick(swarm), EAGER_INTERVAL_MS).unref()
    return swarm
  }

  #onAttempt(publicKey: Uint8Array, stream: SecretStream): void {
    const peer = b4a.toString(publicKey, 'hex')
    if (peer === this.#relay) {
      this.#relays.add(stream)
      stream.once('close', () => this.#relays.delete(stream))
      return
    }
    if (this.#found.size < MAX_FOUND) this.#found.add(peer)
    this.#options.onStatus({ state: 'connecting', via: 'dht', peer })
    const onerror = ({ message }: Error): void => {
      this.#fault = message
      this.#options.onStatus({ state: 'failed', via: 'dht', peer, reason: message })
    }
    stream.once('error', onerror)
    stream.once('open', () => stream.off('error', onerror))
  }

  /** Why peers that were found did not answer. */
  get #whyNoAnswer(): string {
    // over the DHT, a firewall is silent: a peer that refuses this one looks offline
    if (this.#fault === null)
      return "it may be offline, or this reader's id may not be on its --allow list (see `reader id`)"
    const isBlocked = this.#relay === null && this.#fault.includes('HOLEPUNCH')
    return `${this.#fault}${isBlocked ? '; if both peers are behind strict NATs, use a relay (--relay KEY)' : ''}`
  }

  #tick(swarm: Hyperswarm): void {
    const now = Date.now()
    this.#updateReachability(now)
    if (!this.#isReachable) this.#resolve()
    const state = { now, isReachable: this.#isReachable, isAlone: swarm.connections.size === 0 }
    if (this.#schedule.shouldLookUp(state)) lookUp(swarm).catch(ignore)
    // the public DHT has so many nodes that it does not lose announcements
    else if (this.#options.bootstrap.length > 0 && !this.#isRestoring) {
      this.#isRestoring = true
      restoreAnnouncement(swarm)
        .catch(ignore)
        .finally(() => {
          this.#isRestoring = false
        })
    }
  }

  /** Reports when the DHT stops or starts to answer. */
  #updateReachability(now: number): void {
    if (this.#swarm === null) return
    const { total, responses } = this.#swarm.dht.stats.requests
    if (responses > this.#responses) this.#isReachable = true
    else if (total > this.#requests) this.#isReachable = false
    this.#responses = responses
    this.#requests = total
    // while no request is sent, the last answer still counts
    if (this.#isReachable) this.#answeredAt = now
    const isUnreachable = now - this.#answeredAt >= UNREACHABLE_MS
    if (isUnreachable === this.#isReported) return
    this.#isReported = isUnreachable
    this.#options.onStatus(reachability('dht', isUnreachable ? this.#whyUnreachable : null))
  }

  /** One at a time: the lookup of a name can block one of the few threads that the store uses too. */
  #resolve(): void {
    if (this.#isResolving) return
    this.#isResolving = true
    void whyUnresolved(this.#options.bootstrap.map(parseAddress)).then((why) => {
      this.#unresolved = why
      this.#isResolving = false
    })
  }

  get #whyUnreachable(): string {
    const { bootstrap } = this.#options
    if (this.#unresolved !== null)
      return `${this.#unresolved}: check --bootstrap, and the DNS of this machine`
    return bootstrap.length === 0
      ? 'the DHT does not answer: check the internet connection, and whether a firewall blocks UDP'
      : `the DHT at ${bootstrap.join(', ')} does not answer`
  }

  #viaOf(stream: SecretStream): Via {
    const address = remoteAddress(stream)
    return [...this.#relays].some((relay) => remoteAddress(relay) === address) ? 'relay' : 'dht'
  }
}

/** Announces and looks up again. */
async function lookUp(swarm: Hyperswarm): Promise<void> {
  swarm.server.refresh()
  await Promise.all([...swarm.topics()].map((discovery) => discovery.refresh()))
}

/** Announces again if the DHT has lost the announcement: all nodes of a small DHT may have been restarted. */
async function restoreAnnouncement(swarm: Hyperswarm): Promise<void> {
  const [discovery] = swarm.topics()
  if (discovery === undefined) return
  const query = swarm.dht.lookup(discovery.topic)
  let knowing = 0
  for await (const { peers } of query) {
    const isNamed = peers.some(({ publicKey }) => b4a.equals(publicKey, swarm.keyPair.publicKey))
    if (isNamed || peers.length >= MAX_NAMED) knowing++
  }
  if (knowing < query.closestReplies.length) await lookUp(swarm)
}

function remoteAddress({ rawStream }: SecretStream): string {
  return `${rawStream?.remoteHost}:${rawStream?.remotePort}`
}
