import { createHash } from 'node:crypto'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import { ignore } from '../errors.ts'
import { Beacon, type FoundService } from './beacon.ts'
import { announced, type Network, type NetworkOptions, type Search, usability } from './network.ts'

/** In one's own network a handshake takes milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 5000

/** Two that hear of each other call each other at once; who has the smaller key waits so long for the other. */
const COURTESY_MS = 300

/** A peer whose cable was pulled says nothing: so often one hears of those that live … */
const KEEP_ALIVE_MS = 5000

/** … and after so long without, it is gone. */
const SILENCE_TIMEOUT_MS = 15_000

/** Whoever is there and listens has answered the first question by then, and been called. */
const FIRST_LOOK_MS = 1000

/** Anybody in the network can announce peers that there are not: so many are called at once … */
const MAX_CALLS = 64

/** … and so many counted. */
const MAX_FOUND = 1024

/**
 * Finds peers in the network that this machine is in, without the internet: by multicast DNS service discovery, over TCP,
 * encrypted and authenticated by Noise as everywhere.
 */
export function createLan(options: NetworkOptions): Network {
  return new Lan(options)
}

/**
 * The name of a log in the network: it tells whoever knows the log that somebody has it, and nobody else anything. The
 * discovery key itself would let a listener find the log's peers all over the world.
 */
export function lanName(discoveryKey: Uint8Array): string {
  return createHash('sha256').update('many-cores/lan').update(discoveryKey).digest('hex').slice(0, 32)
}

class Lan implements Network {
  readonly #options: NetworkOptions
  readonly #peer: string
  /** By the logs' names, how long the first look for each goes on. */
  readonly #logs = new Map<string, number>()
  readonly #sockets = new Set<Socket>()
  readonly #calling = new Set<string>()
  readonly #found = new Set<string>()
  readonly #beacon: Beacon
  #listening: Promise<number> | null = null
  #server: Server | null = null
  #fault: string | null = null
  #closing: Promise<void> | null = null

  constructor(options: NetworkOptions) {
    this.#options = options
    this.#peer = b4a.toString(options.keyPair.publicKey, 'hex')
    this.#beacon = new Beacon({
      onfound: (service) => this.#meet(service),
      onfault: (reason) => options.onStatus(usability('lan', reason))
    })
  }

  isLooking(discoveryKey: Uint8Array): boolean {
    const until = this.#logs.get(lanName(discoveryKey)) ?? 0
    return this.#closing === null && (performance.now() < until || this.#calling.size > 0)
  }

  async join(discoveryKey: Uint8Array): Promise<void> {
    if (this.#closing !== null) return
    const log = lanName(discoveryKey)
    this.#logs.set(log, Number.POSITIVE_INFINITY)
    try {
      this.#listening ??= this.#listen()
      await this.#beacon.offer({ log, peer: this.#peer, port: await this.#listening })
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error))
    }
    this.#logs.set(log, performance.now() + FIRST_LOOK_MS)
  }

  lose(): void {
    if (this.#closing === null) this.#beacon.look()
  }

  search(): Search {
    const found = this.#found.size
    if (found === 0) {
      const reason = this.#beacon.fault ?? this.#fault ?? 'nobody in this network announces it'
      return { found, reason }
    }
    const why = this.#fault === null ? '' : `: ${this.#fault}`
    return { found, reason: `${announced(found)} in this network, but did not answer${why}` }
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    // a server that is about to listen cannot be closed yet
    await this.#listening?.catch(ignore)
    await this.#beacon.close()
    for (const socket of this.#sockets) socket.destroy()
    const server = this.#server
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  #listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => this.#take(socket, false))
      this.#server = server
      server.once('error', reject)
      server.listen(0, '0.0.0.0', () => {
        server.on('error', (error) => this.#say(error.message))
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  #meet(service: FoundService): void {
    const { log, peer } = service
    if (peer === this.#peer || !this.#logs.has(log) || this.#calling.has(peer)) return
    const { isReached, isAllowed, isRefusing, isFull } = this.#options
    if (this.#closing !== null || isReached(peer, 'lan') || !isAllowed(peer) || isFull()) return
    if (isRefusing(peer)) return
    if (this.#calling.size >= MAX_CALLS) return
    if (this.#found.size < MAX_FOUND) this.#found.add(peer)
    this.#calling.add(peer)
    if (this.#peer > peer) this.#call(service)
    else setTimeout(() => this.#call(service), COURTESY_MS).unref()
  }

  #call({ peer, host, port }: FoundService): void {
    if (this.#closing !== null || this.#options.isReached(peer, 'lan')) {
      this.#calling.delete(peer)
      return
    }
    this.#options.onStatus({ state: 'connecting', via: 'lan', peer })
    const socket = dial({ host, port, timeout: HANDSHAKE_TIMEOUT_MS })
    this.#sockets.add(socket)
    const end = (reason: string): void => {
      this.#calling.delete(peer)
      this.#sockets.delete(socket)
      socket.destroy()
      this.#fault = reason
      this.#options.onStatus({ state: 'failed', via: 'lan', peer, reason })
    }
    const onerror = (error: Error): void => end(error.message)
    const ontimeout = (): void => end(`${host}:${port} did not answer`)
    socket.once('error', onerror)
    socket.once('timeout', ontimeout)
    socket.once('connect', () => {
      socket.off('error', onerror)
      socket.off('timeout', ontimeout)
      socket.setTimeout(0)
      const stream = this.#take(socket, true)
      stream.opened.finally(() => this.#calling.delete(peer)).catch(ignore)
    })
  }

  #take(socket: Socket, isInitiator: boolean): SecretStream {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.setNoDelay(true)
    const stream = new SecretStream(isInitiator, socket, { keyPair: this.#options.keyPair })
    stream.setTimeout(HANDSHAKE_TIMEOUT_MS)
    stream.opened
      .then((isOpen) => {
        if (!isOpen) return
        stream.setKeepAlive(KEEP_ALIVE_MS)
        stream.setTimeout(SILENCE_TIMEOUT_MS)
      })
      .catch(ignore)
    this.#options.add({ stream, via: 'lan' })
    return stream
  }

  /** Once, and not for each log. */
  #say(reason: string): void {
    if (this.#fault === reason) return
    this.#fault = reason
    this.#options.onStatus(usability('lan', reason))
  }
}
