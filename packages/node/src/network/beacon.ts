import { createSocket, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { Answer, Packet } from 'dns-packet'
import type multicast from 'multicast-dns'
import type { MulticastDNS } from 'multicast-dns'
import { ignore } from '../errors.ts'
import { withTimeout } from '../waiting.ts'
import { filterMdns } from './guard/mdns-filter.ts'

/** A log that a process serves at a port, under a name that does not reveal its key. */
export interface Service {
  /** Lower-case hex. */
  readonly log: string
  /** The public key of the peer, in hex. */
  readonly peer: string
  readonly port: number
}

/** The service of another process. */
export interface FoundService extends Service {
  readonly host: string
}

export interface BeaconEvents {
  readonly onfound: (service: FoundService) => void
  /** Why multicast does not work, or not on each interface; null once it does. Reported when it changes. */
  readonly onfault: (reason: string | null) => void
}

const LABEL = '_many-cores'
const TYPE = `${LABEL}._tcp.local`

/** How long other hosts may cache a record. */
const TTL_S = 120

/** Packets get lost, so queries repeat after these seconds, then rarely: a new peer announces itself. */
const EAGER_SECONDS: ReadonlySet<number> = new Set([1, 2, 4, 8, 16])
const IDLE_SECONDS = 30

/** A service takes some 350 bytes. This many fit into one packet, and no message is dropped as too long. */
const SERVICES_PER_MESSAGE = 3

/** An answer reaches all hosts: one is enough for all queries of an interval, longer for many messages. */
const ANSWER_INTERVAL_MS = 100
const MESSAGE_INTERVAL_MS = 10

/** If sending takes longer than this, a beacon closes without a goodbye. */
const GOODBYE_MS = 200

/** Of multicast DNS. */
const GROUP = '224.0.0.251'
const PORT = 5353

/** An address of this machine, and what listens and sends there. */
interface Endpoint {
  readonly udp: Socket
  readonly socket: MulticastDNS
  /** By failed system call. */
  readonly faults: Map<string, string>
}

/**
 * DNS service discovery over multicast DNS (RFC 6763, 6762): announces the services of this process and finds
 * others. There is a socket for each IPv4 address: the system itself would need a route to a gateway to
 * choose one.
 */
export class Beacon {
  readonly #events: BeaconEvents
  readonly #services = new Map<string, Service>()
  /** By address. */
  readonly #endpoints = new Map<string, Endpoint>()
  #whyNoEndpoint: string | null = null
  #timer: NodeJS.Timeout | undefined
  /** Since the last `query`. */
  #seconds = 0
  /** Runs while answers are held back. */
  #resting: NodeJS.Timeout | undefined
  #isAsked = false
  #isClosed = false

  constructor(events: BeaconEvents) {
    this.#events = events
  }

  /** Announces `service` from now on, and queries for others. */
  async offer(service: Service): Promise<void> {
    this.#services.set(service.log, service)
    await this.#updateEndpoints()
    if (this.#isClosed) return
    this.#announce(TTL_S, [service])
    this.query()
    this.#timer ??= setInterval(() => this.#tick(), 1000).unref()
  }

  /** Queries now, and repeats it soon. */
  query(): void {
    this.#seconds = 0
    this.#sendQuery()
  }

  /** Why multicast does not work, or not on each interface. */
  get fault(): string | null {
    const [fault] = [...this.#endpoints.values()].flatMap(({ faults }) => [...faults.values()])
    return this.#whyNoEndpoint ?? fault ?? null
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    clearTimeout(this.#resting)
    this.#announce(0)
    const ends = [...this.#endpoints.values()].map(
      ({ socket }) => new Promise<void>((resolve) => socket.destroy(() => resolve()))
    )
    await withTimeout(Promise.all(ends), { timeout: GOODBYE_MS })
  }

  #tick(): void {
    this.#seconds++
    // a cable may have been plugged in
    this.#updateEndpoints().then((isElsewhere) => {
      if (isElsewhere) this.query()
      else if (EAGER_SECONDS.has(this.#seconds) || this.#seconds % IDLE_SECONDS === 0) this.#sendQuery()
    }, ignore)
  }

  #sendQuery(): void {
    for (const [address, { socket }] of this.#endpoints)
      socket.query([{ name: TYPE, type: 'PTR' }], this.#onsent(address))
  }

  /** Whether an address was added. */
  async #updateEndpoints(): Promise<boolean> {
    // imported here: a program without a network does not load it
    const { default: openMulticast } = await import('multicast-dns')
    if (this.#isClosed) return false
    const addresses = ownAddresses('IPv4')
    for (const [address, endpoint] of this.#endpoints) {
      if (addresses.has(address) && !isReplaced(endpoint, address)) continue
      this.#endpoints.delete(address)
      endpoint.socket.destroy()
    }
    const added = [...addresses].filter((address) => !this.#endpoints.has(address))
    for (const address of added) this.#open(address, openMulticast)
    const why = addresses.size === 0 ? whyNoAddress() : null
    if (why !== this.#whyNoEndpoint) {
      this.#whyNoEndpoint = why
      this.#events.onfault(this.fault)
    }
    return added.length > 0
  }

  #open(address: string, openMulticast: typeof multicast): void {
    // multicast-dns 7.2.5 would bind to the interface's address, at which no multicast arrives on Linux
    const udp = createSocket({ type: 'udp4', reuseAddr: true })
    const socket = openMulticast({ interface: address, bind: '0.0.0.0', socket: udp })
    filterMdns(udp, LABEL)
    this.#endpoints.set(address, { udp, socket, faults: new Map() })
    const onerror = (error: Error): void => this.#onError(address, error)
    socket.on('error', onerror)
    socket.on('warning', onerror)
    socket.on('query', ({ questions = [] }) => {
      if (questions.some(({ name }) => name.toLowerCase() === TYPE)) this.#answer()
    })
    socket.on('response', (packet, { address: host }) => this.#onResponse(packet, host))
  }

  #onError(address: string, error: NodeJS.ErrnoException): void {
    const text = `multicast DNS on ${address}: ${error.message}`
    const faults = this.#endpoints.get(address)?.faults
    // a packet that cannot be decoded is a warning, too, but not a fault of the network
    if (error.syscall === undefined || faults === undefined || faults.get(error.syscall) === text) return
    faults.set(error.syscall, text)
    this.#events.onfault(text)
  }

  #onsent(address: string): (error: Error | null) => void {
    return (error) => {
      if (error) return this.#onError(address, error)
      const faults = this.#endpoints.get(address)?.faults
      const isMended = [faults?.delete('bind'), faults?.delete('send')].includes(true)
      if (isMended) this.#events.onfault(this.fault)
    }
  }

  /** Answers now, or when the pause after the last answer ends. */
  #answer(): void {
    this.#isAsked = this.#resting !== undefined
    if (this.#isAsked || this.#isClosed) return
    const messages = this.#announce(TTL_S)
    this.#resting = setTimeout(
      () => {
        this.#resting = undefined
        if (this.#isAsked) this.#answer()
      },
      Math.max(ANSWER_INTERVAL_MS, messages * MESSAGE_INTERVAL_MS)
    ).unref()
  }

  /** Returns the number of messages that it took. */
  #announce(ttl: number, services: readonly Service[] = [...this.#services.values()]): number {
    for (let first = 0; first < services.length; first += SERVICES_PER_MESSAGE) {
      const some = services.slice(first, first + SERVICES_PER_MESSAGE)
      const answers = some.flatMap((service) => recordsOf(service, ttl))
      for (const [address, { socket }] of this.#endpoints) socket.respond({ answers }, this.#onsent(address))
    }
    return Math.ceil(services.length / SERVICES_PER_MESSAGE)
  }

  #onResponse({ answers = [], additionals = [] }: Packet, host: string): void {
    for (const service of readServices([...answers, ...additionals]))
      this.#events.onfound({ ...service, host })
  }
}

function recordsOf({ log, peer, port }: Service, ttl: number): Answer[] {
  const target = `${peer.slice(0, 16)}.local`
  const name = `${peer.slice(0, 16)}-${log.slice(0, 16)}.${TYPE}`
  return [
    { name: TYPE, type: 'PTR', ttl, data: name },
    { name, type: 'SRV', ttl, data: { port, target } },
    { name, type: 'TXT', ttl, data: [`log=${log}`, `peer=${peer}`] }
  ]
}

/** The services that `records` describe completely. */
function readServices(records: readonly Answer[]): Service[] {
  const names = new Set<string>()
  const ports = new Map<string, number>()
  const fields = new Map<string, string>()
  for (const record of records) {
    if (record.type === 'PTR' && record.name.toLowerCase() === TYPE && record.ttl !== 0)
      names.add(record.data)
    if (record.type === 'SRV') ports.set(record.name, record.data.port)
    if (record.type !== 'TXT') continue
    for (const text of [record.data].flat()) {
      const [, key, value] = /^(log|peer)=([0-9a-f]{32,64})$/.exec(String(text)) ?? []
      if (key !== undefined && value !== undefined) fields.set(`${key} ${record.name}`, value)
    }
  }
  return [...names].flatMap((name) => {
    const [log, peer] = [fields.get(`log ${name}`), fields.get(`peer ${name}`)]
    const port = ports.get(name) ?? 0
    return log === undefined || peer?.length !== 64 || port < 1 || port > 65_535 ? [] : [{ log, peer, port }]
  })
}

/** This machine's addresses without loopback. */
function ownAddresses(version: 'IPv4' | 'IPv6'): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const own = all.filter(({ internal, family }) => !internal && family === version)
  return new Set(own.map(({ address }) => address))
}

function whyNoAddress(): string {
  return ownAddresses('IPv6').size === 0
    ? 'this machine is not connected to a network'
    : 'this machine has no IPv4 address, which LAN discovery needs'
}

/** Whether another interface has the address now, so that the socket's membership was dropped. */
function isReplaced({ udp }: Endpoint, address: string): boolean {
  try {
    // adding a membership to an unbound socket would bind it to any port
    if (udp.address().port !== PORT) return false
    udp.addMembership(GROUP, address)
    return true
  } catch {
    // it is still a member, or not bound
    return false
  }
}
