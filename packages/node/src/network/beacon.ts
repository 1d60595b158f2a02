import { createSocket, type Socket } from 'node:dgram'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import type { Answer, Packet } from 'dns-packet'
import type multicast from 'multicast-dns'
import type { MulticastDNS } from 'multicast-dns'
import { ignore } from '../errors.ts'
import { within } from '../waiting.ts'
import { siftMessages } from './guard/sift.ts'

/** What a process offers in its network: a log, under a name that does not betray its key, at a port. */
export interface Service {
  /** Lower-case hex. */
  readonly log: string
  /** The public key of the peer, in hex. */
  readonly peer: string
  readonly port: number
}

/** A service of somebody else. */
export interface FoundService extends Service {
  readonly host: string
}

export interface BeaconEvents {
  readonly onfound: (service: FoundService) => void
  /** Why multicast cannot be used, or not everywhere; null once it can. Said once, until it changes. */
  readonly onfault: (reason: string | null) => void
}

const LABEL = '_many-cores'
const TYPE = `${LABEL}._tcp.local`

/** Others may keep a record for so long. */
const TTL_S = 120

/** Asked in these seconds after the first time, since packets get lost, … */
const EAGER_SECONDS: ReadonlySet<number> = new Set([1, 2, 4, 8, 16])

/** … and then so often: whoever comes announces itself. */
const PATIENT_SECONDS = 30

/** A service takes some 350 bytes: so many fit into one packet, and no message is dropped as too long. */
const SERVICES_PER_MESSAGE = 3

/** Everybody in the network hears an answer: however many ask, there is one in so long … */
const ANSWER_EVERY_MS = 100

/** … and so long for each message, where one answer takes many. */
const MESSAGE_EVERY_MS = 10

/** Where sending takes longer, nobody is told that we go. */
const GOODBYE_MS = 200

/** Of multicast DNS. */
const GROUP = '224.0.0.251'
const PORT = 5353

/** One interface with an address. */
interface Place {
  readonly udp: Socket
  readonly socket: MulticastDNS
  /** What does not work, by system call. */
  readonly faults: Map<string, string>
}

/**
 * DNS service discovery over multicast DNS (RFC 6763, 6762): says what this process offers, and hears what others do. A
 * socket for each interface with an IPv4 address: where there is no route, the system itself would choose none.
 */
export class Beacon {
  readonly #events: BeaconEvents
  readonly #services = new Map<string, Service>()
  /** By address. */
  readonly #places = new Map<string, Place>()
  /** Why there are none. */
  #whyNowhere: string | null = null
  #timer: NodeJS.Timeout | null = null
  #seconds = 0
  #resting: NodeJS.Timeout | null = null
  #isAsked = false
  #isClosed = false

  constructor(events: BeaconEvents) {
    this.#events = events
  }

  /** Offers `service` from now on, and asks who else does. */
  async offer(service: Service): Promise<void> {
    this.#services.set(service.log, service)
    await this.#openSockets()
    if (this.#isClosed) return
    this.#announce(TTL_S, [service])
    this.look()
    this.#timer ??= setInterval(() => this.#tick(), 1000).unref()
  }

  /** Asks now, and again soon. */
  look(): void {
    this.#seconds = 0
    this.#ask()
  }

  /** Why multicast cannot be used, or not everywhere. */
  get fault(): string | null {
    const [fault] = [...this.#places.values()].flatMap(({ faults }) => [...faults.values()])
    return this.#whyNowhere ?? fault ?? null
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    if (this.#resting !== null) clearTimeout(this.#resting)
    this.#announce(0)
    await Promise.all([...this.#places.values()].map(({ socket }) => destroyed(socket)))
  }

  #tick(): void {
    this.#seconds++
    // a cable may have been plugged in
    this.#openSockets().then((isElsewhere) => {
      if (isElsewhere) this.look()
      else if (EAGER_SECONDS.has(this.#seconds) || this.#seconds % PATIENT_SECONDS === 0) this.#ask()
    }, ignore)
  }

  #ask(): void {
    for (const [address, { socket }] of this.#places)
      socket.query([{ name: TYPE, type: 'PTR' }], this.#onsent(address))
  }

  /** Whether there is an interface now that was not there before. */
  async #openSockets(): Promise<boolean> {
    // loaded here: a program without a network does not pay for it
    const { default: openMulticast } = await import('multicast-dns')
    if (this.#isClosed) return false
    const addresses = ownAddresses()
    for (const [address, place] of this.#places) {
      if (addresses.includes(address) && !isReplaced(place, address)) continue
      this.#places.delete(address)
      place.socket.destroy()
    }
    const added = addresses.filter((address) => !this.#places.has(address))
    for (const address of added) this.#open(address, openMulticast)
    const why = addresses.length === 0 ? whyNowhere() : null
    if (why !== this.#whyNowhere) {
      this.#whyNowhere = why
      this.#events.onfault(this.fault)
    }
    return added.length > 0
  }

  #open(address: string, openMulticast: typeof multicast): void {
    // multicast-dns 7.2.5 would bind to the interface's address, where no multicast arrives on Linux
    const udp = createSocket({ type: 'udp4', reuseAddr: true })
    const socket = openMulticast({ interface: address, bind: '0.0.0.0', socket: udp })
    siftMessages(udp, LABEL)
    this.#places.set(address, { udp, socket, faults: new Map() })
    const onfault = (error: Error): void => this.#note(address, error)
    socket.on('error', onfault)
    socket.on('warning', onfault)
    socket.on('query', ({ questions = [] }) => {
      if (questions.some(({ name }) => name.toLowerCase() === TYPE)) this.#answer()
    })
    socket.on('response', (packet, { address: host }) => this.#hear(packet, host))
  }

  #note(address: string, error: NodeJS.ErrnoException): void {
    const text = `multicast DNS on ${address}: ${error.message}`
    const faults = this.#places.get(address)?.faults
    // what others send and nobody can decode is a warning, too, and no fault of the network
    if (error.syscall === undefined || faults === undefined || faults.get(error.syscall) === text) return
    faults.set(error.syscall, text)
    this.#events.onfault(text)
  }

  /** Now, or at the end of the rest that the last answer began. */
  #answer(): void {
    this.#isAsked = this.#resting !== null
    if (this.#isAsked || this.#isClosed) return
    const messages = this.#announce(TTL_S)
    this.#resting = setTimeout(
      () => {
        this.#resting = null
        if (this.#isAsked) this.#answer()
      },
      Math.max(ANSWER_EVERY_MS, messages * MESSAGE_EVERY_MS)
    ).unref()
  }

  /** In so many messages. */
  #announce(ttl: number, services: readonly Service[] = [...this.#services.values()]): number {
    let messages = 0
    for (let first = 0; first < services.length; first += SERVICES_PER_MESSAGE) {
      const answers = services
        .slice(first, first + SERVICES_PER_MESSAGE)
        .flatMap((service) => recordsOf(service, ttl))
      for (const [address, { socket }] of this.#places) socket.respond({ answers }, this.#onsent(address))
      messages++
    }
    return messages
  }

  #hear({ answers = [], additionals = [] }: Packet, host: string): void {
    for (const service of readServices([...answers, ...additionals]))
      this.#events.onfound({ ...service, host })
  }

  #onsent(address: string): (error: Error | null) => void {
    return (error) => {
      if (error) return this.#note(address, error)
      const faults = this.#places.get(address)?.faults
      const isMended = [faults?.delete('bind'), faults?.delete('send')].includes(true)
      if (isMended) this.#events.onfault(this.fault)
    }
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

/** The services that `records` say all of. */
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

function outerAddresses(): NetworkInterfaceInfo[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
}

function ownAddresses(): string[] {
  const own = outerAddresses().filter(({ family }) => family === 'IPv4')
  return [...new Set(own.map(({ address }) => address))]
}

function whyNowhere(): string {
  return outerAddresses().length === 0
    ? 'this machine is in no network'
    : 'this machine has no IPv4 address in its network, which multicast DNS needs here'
}

/** Whether another interface has the address now: with the one before, the system has dropped the socket's membership. */
function isReplaced({ udp }: Place, address: string): boolean {
  try {
    // adding a membership would bind a socket that is not bound yet, anywhere
    if (udp.address().port !== PORT) return false
    udp.addMembership(GROUP, address)
    return true
  } catch {
    // it is a member still, or not bound at all
    return false
  }
}

function destroyed(socket: MulticastDNS): Promise<unknown> {
  return within(new Promise<void>((resolve) => socket.destroy(() => resolve())), { timeout: GOODBYE_MS })
}
