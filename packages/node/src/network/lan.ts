import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import { ignore } from '../errors.ts'
import { Beacon, type FoundService } from './beacon.ts'
import {
  MAX_FOUND,
  type Network,
  type NetworkOptions,
  reachability,
  type SearchResult,
  unanswered
} from './network.ts'

/** On a LAN, a handshake takes milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 5000

/** Two peers that find each other would call at once: the one with the smaller key waits this long. */
const CALL_DELAY_MS = 300

/** A peer whose cable was pulled sends no more keep-alives; after this timeout it is gone. */
const KEEP_ALIVE_MS = 5000
const SILENCE_TIMEOUT_MS = 15_000

/** Peers that are online answer the first query, and are called, within this time. */
const FIRST_SEARCH_MS = 1000

/** Announcements can be forged: this many calls run at once. */
const MAX_CALLS = 64

/**
 * The name of a log on the LAN. Peers that know the log recognize it; it tells other listeners nothing. The
 * discovery key itself would let a listener find the log's peers all over the world.
 */
export function lanName(discoveryKey: Uint8Array): string {
  return createHash('sha256').update('many-cores/lan').update(discoveryKey).digest('hex').slice(0, 32)
}

/** LAN discovery by multicast DNS (DNS-SD), without the internet. Connections are Noise over TCP. */
export class LanNetwork implements Network {
  readonly #options: NetworkOptions
  readonly #peer: string
  /** By the logs' names: when the first search for each ends. */
  readonly #logs = new Map<string, number>()
  readonly #sockets = new Set<Socket>()
  readonly #calling = new Set<string>()
  readonly #found = new Set<string>()
  readonly #beacon: Beacon
  readonly #server = createServer((socket) => this.#openStream(this.#track(socket), false))
  #listening: Promise<number> | null = null
  #fault: string | null = null
  #isClosed = false

  constructor(options: NetworkOptions) {
    this.#options = options
    this.#peer = b4a.toString(options.keyPair.publicKey, 'hex')
    this.#beacon = new Beacon({
      onfound: (service) => this.#onFound(service),
      onfault: (fault) => options.onStatus(reachability('lan', fault))
    })
  }

  isSearching(discoveryKey: Uint8Array): boolean {
    const until = this.#logs.get(lanName(discoveryKey)) ?? 0
    return !this.#isClosed && (performance.now() < until || this.#calling.size > 0)
  }

  async join(discoveryKey: Uint8Array): Promise<void> {
    if (this.#isClosed) return
    const log = lanName(discoveryKey)
    this.#logs.set(log, Number.POSITIVE_INFINITY)
    try {
      this.#listening ??= this.#listen()
      await this.#beacon.offer({ log, peer: this.#peer, port: await this.#listening })
    } catch (error) {
      this.#report(error instanceof Error ? error.message : String(error))
    }
    this.#logs.set(log, performance.now() + FIRST_SEARCH_MS)
  }

  onDisconnected(): void {
    if (!this.#isClosed) this.#beacon.query()
  }

  searchResult(): SearchResult {
    const found = this.#found.size
    if (found > 0) return unanswered(found, 'the local network', this.#fault)
    return { found, reason: this.#beacon.fault ?? this.#fault ?? 'no peer announces it on the local network' }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    // a server that is about to listen cannot be closed yet
    await this.#listening?.catch(ignore)
    await this.#beacon.close()
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  /** Resolves to the port. */
  async #listen(): Promise<number> {
    this.#server.listen(0, '0.0.0.0')
    await once(this.#server, 'listening')
    this.#server.on('error', (error) => this.#report(error.message))
    return (this.#server.address() as AddressInfo).port
  }

  #onFound(service: FoundService): void {
    const { log, peer } = service
    const { isReached, isAllowed, isRefusing, isFull } = this.#options
    if (peer === this.#peer || !this.#logs.has(log) || this.#calling.has(peer)) return
    if (this.#isClosed || isReached(peer, 'lan') || !isAllowed(peer) || isFull()) return
    if (isRefusing(peer) || this.#calling.size >= MAX_CALLS) return
    if (this.#found.size < MAX_FOUND) this.#found.add(peer)
    this.#calling.add(peer)
    if (this.#peer > peer) void this.#call(service)
    else setTimeout(() => void this.#call(service), CALL_DELAY_MS).unref()
  }

  async #call({ peer, host, port }: FoundService): Promise<void> {
    if (!this.#isClosed && !this.#options.isReached(peer, 'lan')) {
      this.#options.onStatus({ state: 'connecting', via: 'lan', peer })
      const socket = this.#track(dial({ host, port, timeout: HANDSHAKE_TIMEOUT_MS }))
      socket.once('timeout', () => socket.destroy(new Error(`${host}:${port} did not answer`)))
      try {
        await once(socket, 'connect')
        socket.setTimeout(0)
        await this.#openStream(socket, true).opened
      } catch (error) {
        this.#fault = error instanceof Error ? error.message : String(error)
        this.#options.onStatus({ state: 'failed', via: 'lan', peer, reason: this.#fault })
      }
    }
    this.#calling.delete(peer)
  }

  #track(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.once('close', () => this.#sockets.delete(socket))
  }

  #openStream(socket: Socket, isInitiator: boolean): SecretStream {
    socket.setNoDelay(true)
    const stream = new SecretStream(isInitiator, socket, { keyPair: this.#options.keyPair })
    stream.setTimeout(HANDSHAKE_TIMEOUT_MS)
    stream.once('open', () => {
      stream.setKeepAlive(KEEP_ALIVE_MS)
      stream.setTimeout(SILENCE_TIMEOUT_MS)
    })
    this.#options.add({ stream, via: 'lan' })
    return stream
  }

  /** Reports a fault once, not for each log. */
  #report(fault: string): void {
    if (this.#fault === fault) return
    this.#fault = fault
    this.#options.onStatus(reachability('lan', fault))
  }
}
