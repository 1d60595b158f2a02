import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type Hyperswarm from 'hyperswarm'
import { ignore } from '../errors.ts'
import type { Via } from '../status.ts'
import { within } from '../waiting.ts'
import { parseAddress } from './address.ts'
import { type DhtOptions, dhtOptions } from './dht-options.ts'
import { siftDht } from './guard/sift-dht.ts'
import { EAGER_MS, Lookout } from './lookout.ts'
import { announced, type Network, type NetworkOptions, type Search } from './network.ts'

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

export interface SwarmOptions extends NetworkOptions {
  /** `host:port` of a private DHT's nodes; the public DHT if there are none. */
  readonly bootstrap: readonly string[]
  /** How many are called at most. */
  readonly maxPeers: number
  /** The public key of a relay, used where a direct connection cannot be had. */
  readonly relay: Uint8Array | null
}

/** Finds peers anywhere by Hyperswarm: the discovery key is announced and looked up, connections are Noise over UDX. */
export function createSwarm(options: SwarmOptions): Network {
  return new Swarm(options)
}

class Swarm implements Network {
  readonly #options: SwarmOptions
  readonly #lookout = new Lookout(Date.now())
  readonly #relay: string | null
  /** The logs that are looked for the first time. */
  readonly #looking = new Set<string>()
  readonly #found = new Set<string>()
  /** Connections to the relay itself. */
  readonly #relays = new Set<SecretStream>()
  #opening: Promise<Hyperswarm> | null = null
  #swarm: Hyperswarm | null = null
  #timer: NodeJS.Timeout | undefined
  #fault: string | null = null
  #requests = 0
  #responses = 0
  #isReachable = false
  #answeredAt = Date.now()
  #isReported = false
  #isAsking = false
  #closing: Promise<void> | null = null

  constructor(options: SwarmOptions) {
    this.#options = options
    this.#relay = options.relay && b4a.toString(options.relay, 'hex')
  }

  async join(discoveryKey: Uint8Array): Promise<void> {
    if (this.#closing !== null) return
    const topic = b4a.toString(discoveryKey, 'hex')
    this.#looking.add(topic)
    const looked = (): void => void this.#looking.delete(topic)
    try {
      this.#opening ??= this.#open()
      const swarm = await this.#opening
      if (this.#closing !== null) return
      // not awaited: without a network it takes 12 s, and being found here must not hold up being found on this machine
      swarm.join(discoveryKey, { server: true, client: true })
      swarm.flush().then(looked, looked)
    } catch (error) {
      looked()
      this.#options.onStatus({ state: 'unreachable', via: 'dht', reason: String(error) })
    }
  }

  isLooking(discoveryKey: Uint8Array): boolean {
    return this.#closing === null && this.#looking.has(b4a.toString(discoveryKey, 'hex'))
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
      // a firewall is silent: who does not allow us is as if it were not there
      const why =
        this.#fault === null ? 'it may have gone, or not allow this peer' : `${this.#fault}${this.#advice}`
      return { found, reason: `${announced(found)} over the DHT, but did not answer: ${why}` }
    }
    // asked now: a reader may give up before the first tick
    this.#sample(Date.now())
    if (!this.#isReachable && this.#responses === 0) return { found, reason: this.#whyUnreachable() }
    return { found, reason: 'nobody announces this key over the DHT' }
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const swarm = await this.#opening?.catch(() => null)
    clearInterval(this.#timer)
    if (!swarm) return
    this.#sample(Date.now())
    const goodbye = swarm.destroy().catch(ignore)
    if (this.#isReachable && (await within(goodbye, { timeout: GOODBYE_MS })) !== null) return
    // the DHT first: what still asks it fails at once, and all that waits for an answer ends
    await within(swarm.dht.destroy({ force: true }).catch(ignore), { timeout: DESTROY_MS })
  }

  async #open(): Promise<Hyperswarm> {
    const { keyPair, relay, maxPeers, bootstrap, isReached, isAllowed, add } = this.#options
    // loaded here: a program without a DHT does not pay for it, one with a DHT shows its key first
    const [{ default: Hyperswarm }, { default: DHT }] = await Promise.all([
      import('hyperswarm'),
      import('hyperdht')
    ])
    const attempt = (publicKey: Uint8Array, stream: SecretStream): void => this.#attempt(publicKey, stream)

    // Hyperswarm 4.17.2 tells nobody which connections it tries, and swallows why they fail
    class WatchedDHT extends DHT {
      constructor(own: DhtOptions) {
        super({ ...own, maxPingDelay: MAX_PING_DELAY_MS })
        siftDht(this)
      }

      override connect(publicKey: Uint8Array, options?: object): SecretStream {
        const stream = super.connect(publicKey, options)
        attempt(publicKey, stream)
        return stream
      }
    }

    const swarm = new Hyperswarm({
      keyPair,
      dht: new WatchedDHT(dhtOptions(bootstrap.map(parseAddress))),
      maxPeers: Math.min(maxPeers, MAX_CALLED),
      firewall: (publicKey) => {
        const peer = b4a.toString(publicKey, 'hex')
        // who may not come learns nothing of us, not even an address; who is connected on this machine or in this network need
        // not be so over the internet, too
        return !isAllowed(peer) || isReached(peer, 'lan')
      },
      ...(relay !== null && { relayThrough: relay })
    })
    swarm.on('connection', (stream) => {
      this.#lookout.meet(b4a.toString(stream.remotePublicKey, 'hex'))
      add({ stream, via: this.#viaOf(stream) })
    })
    this.#swarm = swarm
    this.#answeredAt = Date.now()
    this.#timer = setInterval(() => this.#tick(swarm), EAGER_MS).unref()
    return swarm
  }

  /** A connection is tried. */
  #attempt(publicKey: Uint8Array, stream: SecretStream): void {
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

  /** What helps where a connection was tried and the NATs on the way did not let it through. */
  get #advice(): string {
    const isBlocked = this.#relay === null && /HOLEPUNCH/.test(this.#fault ?? '')
    return isBlocked ? '; where both sides are behind strict NATs, a relay helps' : ''
  }

  #tick(swarm: Hyperswarm): void {
    const now = Date.now()
    this.#sample(now)
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

  /** Whether the DHT answered when it was asked last. */
  #sample(now: number): void {
    if (this.#swarm === null) return
    const { requests } = this.#swarm.dht.stats
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
