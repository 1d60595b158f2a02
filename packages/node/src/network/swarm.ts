import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type HyperDHT from 'hyperdht'
import type Hyperswarm from 'hyperswarm'
import type { Via } from '../status.ts'
import { within } from '../waiting.ts'
import { type Address, parseAddress } from './address.ts'
import { type DhtOptions, dhtOptions } from './dht-options.ts'
import type { PeerKeyPair } from './identity.ts'
import { EAGER_MS, Lookout } from './lookout.ts'
import type { Network, NetworkEvents, Search } from './network.ts'
import { siftDht } from './sift-dht.ts'

/** A DHT that answers lets itself be told goodbye in less; one that does not is left at once … */
const GOODBYE_MS = 800

/** … and its sockets closed. */
const DESTROY_MS = 500

/** A DHT that is there answers in well under a second. */
const UNREACHABLE_MS = 5000

/** As many as Hyperswarm calls by itself: whoever is called knows others. */
const MAX_CALLED = 64

/**
 * Anybody can ask a node to answer later, by 10 s at most unless it is told otherwise, and it keeps the question until then:
 * 300,000 of 1,200 bytes, which take 6 s, were 600 MB. Nobody among us asks that.
 */
const MAX_PING_DELAY_MS = 1

/** Anybody can announce peers that there are not: so many are counted. */
const MAX_FOUND = 1024

/** A node of HyperDHT 6 names no more of the peers that it knows. */
const MAX_NAMED = 20

export interface SwarmOptions extends NetworkEvents {
  readonly keyPair: PeerKeyPair
  /** `host:port` of a private DHT's nodes; the public DHT if there are none. */
  readonly bootstrap: readonly string[]
  /** How many are called at most. */
  readonly maxPeers: number
  /** The public key of a relay, used where a direct connection cannot be had. */
  readonly relay?: Uint8Array
}

/** Finds peers anywhere by Hyperswarm: the discovery key is announced and looked up, connections are Noise over UDX. */
export function createSwarm(options: SwarmOptions): Network {
  const nodes = options.bootstrap.map(parseAddress)
  const watch = new Watch(options)
  let swarm: Promise<Hyperswarm> | null = null
  let closing: Promise<void> | null = null
  const looking = new Set<string>()

  const join = async (discoveryKey: Uint8Array): Promise<void> => {
    if (closing !== null) return
    const topic = b4a.toString(discoveryKey, 'hex')
    looking.add(topic)
    const looked = (): void => void looking.delete(topic)
    try {
      swarm ??= openSwarm(options, nodes, watch)
      const opened = await swarm
      if (closing !== null) return
      // not awaited: without a network it takes 12 s, and being found here must not hold up being found on this machine
      opened.join(discoveryKey, { server: true, client: true })
      opened.flush().then(looked, looked)
    } catch (error) {
      looked()
      options.onStatus({ state: 'unreachable', via: 'dht', reason: String(error) })
    }
  }

  const end = async (): Promise<void> => {
    watch.close()
    const opened = await swarm?.catch(() => null)
    if (!opened) return
    const goodbye = opened.destroy().then(
      () => true,
      () => true
    )
    if (watch.isReachable() && (await within(goodbye, { timeout: GOODBYE_MS }))) return
    // the DHT first: what still asks it fails at once, and all that waits for an answer ends
    await within(opened.dht.destroy({ force: true }).catch(ignore), { timeout: DESTROY_MS })
  }

  const close = (): Promise<void> => {
    closing ??= end()
    return closing
  }

  return {
    join,
    lose: (peer) => watch.lose(peer),
    search: () => watch.search(),
    isLooking: (discoveryKey) => closing === null && looking.has(b4a.toString(discoveryKey, 'hex')),
    close
  }
}

/** What goes on around a swarm: who is called, whether the DHT answers, when to look again. */
class Watch {
  readonly #options: SwarmOptions
  readonly #lookout = new Lookout(Date.now())
  readonly #relay: string | null
  readonly #found = new Set<string>()
  /** Connections to the relay itself. */
  readonly #relays = new Set<SecretStream>()
  #swarm: Hyperswarm | null = null
  #timer: NodeJS.Timeout | null = null
  #fault: string | null = null
  #requests = 0
  #responses = 0
  #isReachable = false
  #answeredAt = Date.now()
  #isReported = false
  #isAsking = false

  constructor(options: SwarmOptions) {
    this.#options = options
    this.#relay = options.relay === undefined ? null : b4a.toString(options.relay, 'hex')
  }

  begin(swarm: Hyperswarm): void {
    this.#swarm = swarm
    swarm.on('connection', (stream) => {
      this.#lookout.meet(b4a.toString(stream.remotePublicKey, 'hex'))
      this.#options.onconnection({ stream, via: this.#viaOf(stream) })
    })
    this.#answeredAt = Date.now()
    this.#timer = setInterval(() => this.#tick(swarm), EAGER_MS)
    this.#timer.unref()
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** Whether the DHT answered when it was asked last. */
  isReachable(): boolean {
    if (this.#swarm !== null) this.#sample(this.#swarm.dht, Date.now())
    return this.#isReachable
  }

  /** A connection is tried. */
  attempt(publicKey: Uint8Array, stream: SecretStream): void {
    const peer = b4a.toString(publicKey, 'hex')
    if (peer === this.#relay) {
      this.#relays.add(stream)
      stream.once('close', () => this.#relays.delete(stream))
      return
    }
    if (this.#found.size < MAX_FOUND) this.#found.add(peer)
    this.#options.onStatus({ state: 'connecting', via: 'dht', peer })
    let isOpen = false
    stream.once('open', () => {
      isOpen = true
    })
    stream.once('error', (error) => {
      if (isOpen) return
      this.#fault = error.message
      this.#options.onStatus({ state: 'failed', via: 'dht', peer, reason: error.message })
    })
  }

  lose(peer: string): void {
    // a peer that refuses us is there: looking for it would announce us, and have us refused, every other second
    if (!this.#options.isRefusing(peer)) this.#lookout.miss(peer, Date.now())
    // it was refused while a better connection was open
    this.#swarm?.peers.get(peer)?.ban(false)
  }

  search(): Search {
    const found = this.#found.size
    if (found > 0) {
      const announce = found === 1 ? 'a peer announces it' : `${found} peers announce it`
      // a firewall is silent: who does not allow us is as if it were not there
      const why =
        this.#fault === null ? 'it may have gone, or not allow this peer' : `${this.#fault}${this.#advice}`
      return { found, reason: `${announce} over the DHT, but did not answer: ${why}` }
    }
    // asked now: a reader may give up before the first tick
    if (!this.isReachable() && this.#responses === 0) return { found, reason: this.#whyUnreachable() }
    return { found, reason: 'nobody announces this key over the DHT' }
  }

  /** What helps where a connection was tried and the NATs on the way did not let it through. */
  get #advice(): string {
    const isBlocked = this.#relay === null && /HOLEPUNCH/.test(this.#fault ?? '')
    return isBlocked ? '; where both sides are behind strict NATs, a relay helps' : ''
  }

  #tick(swarm: Hyperswarm): void {
    const now = Date.now()
    this.#sample(swarm.dht, now)
    const sight = { now, isReachable: this.#isReachable, isAlone: swarm.connections.size === 0 }
    if (this.#lookout.shouldLook(sight)) look(swarm).catch(ignore)
    // the public DHT has so many nodes that it forgets nobody
    else if (this.#options.bootstrap.length > 0) this.#remind(swarm).catch(ignore)
  }

  /** Announces again where the DHT has forgotten us: of a few nodes, all may have been restarted. */
  async #remind(swarm: Hyperswarm): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      if (await isForgotten(swarm)) await look(swarm)
    } finally {
      this.#isAsking = false
    }
  }

  #sample({ stats: { requests } }: HyperDHT, now: number): void {
    if (requests.responses > this.#responses) {
      this.#isReachable = true
      this.#answeredAt = now
      if (this.#isReported) this.#options.onStatus({ state: 'reachable', via: 'dht' })
      this.#isReported = false
    } else if (requests.total > this.#requests) {
      this.#isReachable = false
    } else if (this.#isReachable) {
      // nothing was asked
      this.#answeredAt = now
    }
    this.#responses = requests.responses
    this.#requests = requests.total
    if (this.#isReported || now - this.#answeredAt < UNREACHABLE_MS) return
    this.#isReported = true
    this.#options.onStatus({ state: 'unreachable', via: 'dht', reason: this.#whyUnreachable() })
  }

  #whyUnreachable(): string {
    const { bootstrap } = this.#options
    return bootstrap.length === 0
      ? 'the DHT does not answer: is there a way to the internet, and is UDP let through?'
      : `the DHT at ${bootstrap.join(', ')} does not answer`
  }

  #viaOf(stream: SecretStream): Via {
    const address = remoteAddress(stream)
    return [...this.#relays].some((relay) => remoteAddress(relay) === address) ? 'relay' : 'dht'
  }
}

async function openSwarm(
  { keyPair, relay, maxPeers, isReached, isAllowed }: SwarmOptions,
  nodes: readonly Address[],
  watch: Watch
): Promise<Hyperswarm> {
  // loaded here: a program without a DHT does not pay for it, one with a DHT shows its key first
  const [{ default: Swarm }, { default: DHT }] = await Promise.all([import('hyperswarm'), import('hyperdht')])

  // Hyperswarm 4.17.2 tells nobody which connections it tries, and swallows why they fail
  class WatchedDHT extends DHT {
    constructor(own: DhtOptions) {
      super({ ...own, maxPingDelay: MAX_PING_DELAY_MS })
      siftDht(this)
    }

    override connect(publicKey: Uint8Array, options?: object): SecretStream {
      const stream = super.connect(publicKey, options)
      watch.attempt(publicKey, stream)
      return stream
    }
  }

  const swarm = new Swarm({
    keyPair,
    dht: new WatchedDHT(dhtOptions(nodes)),
    maxPeers: Math.min(maxPeers, MAX_CALLED),
    firewall: (publicKey) => {
      const peer = b4a.toString(publicKey, 'hex')
      // who may not come learns nothing of us, not even an address; who is connected on this machine or in this network need
      // not be so over the internet, too
      return !isAllowed(peer) || isReached(peer, 'lan')
    },
    ...(relay !== undefined && { relayThrough: relay })
  })
  watch.begin(swarm)
  return swarm
}

/** Announces and looks up again. */
async function look(swarm: Hyperswarm): Promise<void> {
  swarm.server.refresh()
  await Promise.all([...swarm.topics()].map((discovery) => discovery.refresh()))
}

/** Whether a node that answers for one of our logs does not know that we have it. */
async function isForgotten(swarm: Hyperswarm): Promise<boolean> {
  const [discovery] = swarm.topics()
  if (discovery === undefined) return false
  const query = swarm.dht.lookup(discovery.topic)
  let knowing = 0
  for await (const { peers } of query) {
    const isNamed = peers.some(({ publicKey }) => b4a.equals(publicKey, swarm.keyPair.publicKey))
    if (isNamed || peers.length >= MAX_NAMED) knowing++
  }
  return knowing < query.closestReplies.length
}

function remoteAddress({ rawStream }: SecretStream): string {
  return `${rawStream?.remoteHost}:${rawStream?.remotePort}`
}

function ignore(): void {}
