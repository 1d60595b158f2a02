import { createSocket } from 'node:dgram'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BootstrapManifest,
  decodeManifest,
  keyToBytes,
  type LogManifest,
  ProtocolError,
  parseKey
} from '@many-cores/protocol'
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import type HyperDHT from 'hyperdht'
import { translate } from './errors.ts'
import { decodeRecord } from './follow/record.ts'
import { internalsOf } from './internals.ts'
import { type Address, parseAddress } from './network/address.ts'
import { dhtOptions } from './network/dht-options.ts'
import { type PeerKeyPair, peerKeyPairOf } from './network/identity.ts'
import { checkRendezvous, checkRootLength, rendezvousRoot } from './network/local.ts'
import { type Node, type NodeOptions, openNodeAs } from './node.ts'
import type { Status, Via } from './status.ts'
import { comesTrue } from './waiting.ts'

/** What must hold for a connection, in the order in which it is checked. */
export type Check =
  | 'runtime directory'
  | 'store'
  | 'udp'
  | 'dht'
  | 'nat'
  | 'announcement'
  | 'peer'
  | 'bootstrap core'
  | 'manifest'
  | 'data cores'

/** What came out of one check. */
export interface Finding {
  readonly check: Check
  /** `warning`: not as it should be, and yet it may do. `skipped`: was not asked for, or could not be, after what failed. */
  readonly outcome: 'ok' | 'warning' | 'failed' | 'skipped'
  /** What was seen. */
  readonly text: string
  /** What to do about it. */
  readonly remedy?: string
  /** Where it failed: the code of the error that a reader would end with. */
  readonly code?: string
}

export interface DiagnosisOptions
  extends Pick<NodeOptions, 'bootstrap' | 'local' | 'lan' | 'relay' | 'rendezvous' | 'signal'> {
  /** The log that is to be found. Without one, only this machine and its network are looked at. */
  readonly key?: string
  /**
   * The store of the reader that is to find it: peers are asked under its id, which they may have to allow, unless it is in
   * use. Nothing is written to it. Default: none, and an id that nobody knows.
   */
  readonly storage?: string
  /** The most that any one check may take, in ms. Default 10,000. */
  readonly timeout?: number
}

const DEFAULT_TIMEOUT_MS = 10_000

/** One of the public DHT's nodes, for a packet that is thrown away. */
const PUBLIC_NODE: Address = { host: '88.99.3.86', port: 49_737 }

const DISCARDED = new Uint8Array(1)

/**
 * Checks in order what must hold for a reader to find its log. Uses a store of its own, which is removed.
 *
 * @throws ProtocolError `BAD_KEY`; NodeError `BAD_OPTION`
 */
export async function* diagnose(options: DiagnosisOptions = {}): AsyncGenerator<Finding, void, undefined> {
  const { key, storage, bootstrap = [], local = false, rendezvous, signal } = options
  if (rendezvous !== undefined) checkRootLength(rendezvous)
  const parsed = key === undefined ? null : parseKey(key)
  const nodes = bootstrap.map(parseAddress)
  await using patient = new Patient(options, nodes)
  const checks: Array<() => Promise<Finding>> = [() => patient.checkRuntime()]
  if (parsed !== null && storage !== undefined) {
    const store = await patient.identify(storage)
    checks.push(() => Promise.resolve(store))
  }
  if (local) checks.push(...(['udp', 'dht', 'nat', 'announcement'] as const).map(skipLocal))
  else
    checks.push(
      () => patient.checkUdp(),
      () => patient.checkDht(),
      () => patient.checkNat()
    )
  if (parsed !== null) {
    await patient.begin(keyToBytes(parsed))
    if (!local) checks.push(() => patient.checkAnnouncement())
    checks.push(
      () => patient.checkPeer(),
      () => patient.checkBootstrap(),
      () => patient.checkManifest(),
      () => patient.checkData()
    )
  }
  for (const check of checks) {
    if (signal?.aborted) return
    yield await check()
  }
}

/** Who is looked at. */
class Patient implements AsyncDisposable {
  readonly #options: DiagnosisOptions
  readonly #nodes: readonly Address[]
  readonly #timeout: number
  readonly #vias = new Set<Via>()
  #keyPair: PeerKeyPair | null = null
  #howToBeAllowed = 'name the store whose id they are to allow'
  #dht: HyperDHT | null = null
  #isDhtReachable = false
  #directory: string | null = null
  #node: Node | null = null
  #core: Hypercore | null = null
  #hasPeer = false
  #block: Uint8Array | null = null
  #manifest: BootstrapManifest | null = null

  constructor(options: DiagnosisOptions, nodes: readonly Address[]) {
    this.#options = options
    this.#nodes = nodes
    this.#timeout = options.timeout ?? DEFAULT_TIMEOUT_MS
  }

  /** Finds out under which id to ask peers: that of the store, where it can be had. */
  async identify(storage: string): Promise<Finding> {
    const check = 'store'
    try {
      this.#keyPair = await peerKeyPairOf(storage)
    } catch (error) {
      const { code, message } = translate(error)
      this.#howToBeAllowed = 'look again when the store is not in use, to ask under its id'
      // two with one id would take each other's place at their peers
      if (code === 'STORE_IN_USE') return skipped(check, `${message}; peers are asked under another id`)
      return {
        check,
        outcome: 'failed',
        text: message,
        remedy: 'name another directory with --storage',
        code
      }
    }
    if (this.#keyPair === null) {
      this.#howToBeAllowed = 'let `reader id` make the store, and have them allow the id that it prints'
      return skipped(check, `${storage}: there is none yet; peers are asked under another id`)
    }
    const id = b4a.toString(this.#keyPair.publicKey, 'hex')
    this.#howToBeAllowed = `have them --allow ${id}`
    return { check, outcome: 'ok', text: `${storage}: peers are asked under its id, ${id}` }
  }

  /** Looks for the log from now on, by every way, while the rest is checked. */
  async begin(key: Uint8Array): Promise<void> {
    const { bootstrap, local, lan, relay, rendezvous, signal } = this.#options
    this.#directory = await mkdtemp(join(tmpdir(), 'many-cores-doctor-'))
    this.#node = await openNodeAs(this.#keyPair, {
      storage: join(this.#directory, 'store'),
      onStatus: (status) => this.#hear(status),
      ...(bootstrap !== undefined && { bootstrap }),
      ...(local !== undefined && { local }),
      ...(lan !== undefined && { lan }),
      ...(relay !== undefined && { relay }),
      ...(rendezvous !== undefined && { rendezvous }),
      ...(signal !== undefined && { signal })
    })
    const { store, join: find } = internalsOf(this.#node)
    this.#core = store.get({ key })
    await this.#core.ready()
    await find(this.#core)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node?.close()
    await this.#dht?.destroy({ force: true })
    if (this.#directory !== null) await rm(this.#directory, { recursive: true, force: true })
  }

  async checkRuntime(): Promise<Finding> {
    const check = 'runtime directory'
    const root = this.#options.rendezvous ?? rendezvousRoot()
    try {
      await checkRendezvous(root)
      return { check, outcome: 'ok', text: `${root}: programs on this machine can meet there` }
    } catch (error) {
      const text = `${root}: ${messageOf(error)}`
      const remedy = 'set XDG_RUNTIME_DIR to a directory that is yours alone (mode 0700), with a short path'
      return failed(check, text, remedy)
    }
  }

  async checkUdp(): Promise<Finding> {
    const { host, port } = this.#nodes[0] ?? PUBLIC_NODE
    try {
      await sendDatagram(host, port)
      return { check: 'udp', outcome: 'ok', text: `a packet to ${host}:${port} was sent` }
    } catch (error) {
      const remedy = 'connect this machine to a network, or let UDP out through its firewall'
      return this.#unlessNear('udp', `no packet can be sent to ${host}:${port}: ${messageOf(error)}`, remedy)
    }
  }

  async checkDht(): Promise<Finding> {
    const { default: DHT } = await import('hyperdht')
    const dht = new DHT(dhtOptions(this.#nodes))
    this.#dht = dht
    await this.#until(() => dht.stats.requests.responses > 0)
    await this.#until(() => dht.bootstrapped)
    this.#isDhtReachable = dht.stats.requests.responses > 0
    const which =
      this.#nodes.length === 0 ? 'the public DHT' : `the DHT at ${this.#options.bootstrap?.join(', ')}`
    if (this.#isDhtReachable) return { check: 'dht', outcome: 'ok', text: `${which} answers` }
    const remedy =
      this.#nodes.length === 0
        ? 'let UDP out to any port and its answers in; where that cannot be had, run a DHT of your own and name it with --bootstrap'
        : 'see that a node runs there, and that UDP to it is let through'
    return this.#unlessNear('dht', `${which} does not answer`, remedy)
  }

  async checkNat(): Promise<Finding> {
    const check = 'nat'
    const dht = this.#dht
    if (dht === null || !this.#isDhtReachable)
      return skipped(check, 'nobody could say from where our packets come')
    const seen = dht.host === null ? 'an unknown address' : `${dht.host}${dht.port > 0 ? `:${dht.port}` : ''}`
    if (!dht.firewalled) return { check, outcome: 'ok', text: `open: anybody can reach us at ${seen}` }
    if (!dht.randomized)
      return {
        check,
        outcome: 'ok',
        text: `consistent: others see us at ${seen}, and can be met by hole punching`
      }
    const text = `random: others see us at ${seen}, at another port each`
    const remedy =
      'a peer behind such a NAT, too, can be reached over a relay only: --relay KEY on either side'
    return { check, outcome: this.#options.relay === undefined ? 'warning' : 'ok', text, remedy }
  }

  async checkAnnouncement(): Promise<Finding> {
    const check = 'announcement'
    const dht = this.#dht
    if (dht === null || !this.#isDhtReachable) return skipped(check, 'the DHT cannot be asked')
    const topic = this.#core?.discoveryKey as Uint8Array
    const own = this.#node?.id
    const peers = new Set<string>()
    for await (const { peers: found } of dht.lookup(topic)) {
      for (const { publicKey } of found) peers.add(b4a.toString(publicKey, 'hex'))
    }
    peers.delete(own ?? '')
    if (peers.size > 0)
      return {
        check,
        outcome: 'ok',
        text: `${count(peers.size, 'peer announces', 'peers announce')} this key`
      }
    const remedy = 'see that the key is right, and that the writer runs, with a DHT that answers'
    return this.#unlessNear(check, 'nobody announces this key over the DHT', remedy)
  }

  async checkPeer(): Promise<Finding> {
    const check = 'peer'
    const node = this.#node as Node
    const core = this.#core as Hypercore
    const { whyAlone, peers } = internalsOf(node)
    await this.#until(() => core.peers.length > 0)
    const refused = core.peers.length > 0 ? null : peers.whyRefused()
    if (refused?.reason === 'full')
      return failed(check, refused.text, 'give that peer a larger --max-peers, or wait for a place')
    if (refused?.reason === 'not-allowed') return failed(check, refused.text, this.#howToBeAllowed)
    this.#hasPeer = node.peers > 0
    if (this.#hasPeer) {
      return {
        check,
        outcome: 'ok',
        text: `${count(node.peers, 'peer', 'peers')} connected, by ${[...this.#vias].join(' and ')}`
      }
    }
    const remedy = `try --relay KEY where both sides are behind strict NATs; where peers allow only some, ${this.#howToBeAllowed}`
    return failed(check, `no peer answered: ${whyAlone()}`, remedy)
  }

  async checkBootstrap(): Promise<Finding> {
    const check = 'bootstrap core'
    const core = this.#core as Hypercore
    if (!this.#hasPeer) return skipped(check, 'there is no peer')
    const remedy = 'see that the key is right, letter by letter, and that the writer has begun'
    if (core.peers.length === 0) return failed(check, 'no peer has this log', remedy)
    try {
      this.#block = await core.get(0, { timeout: this.#timeout })
      return { check, outcome: 'ok', text: `block 0 is here, of ${core.length}` }
    } catch {
      return failed(check, 'a peer knows the log, but has not its first block', remedy)
    }
  }

  async checkManifest(): Promise<Finding> {
    const check = 'manifest'
    if (this.#block === null) return skipped(check, 'there is no block 0')
    try {
      const manifest = decodeManifest(this.#block, parseKey(this.#options.key as string))
      this.#manifest = manifest
      const kind = manifest.version === 0 ? 'of a tutorial log' : `of version ${manifest.version}`
      return { check, outcome: 'ok', text: `${kind}, with ${count(manifest.cores.length, 'core', 'cores')}` }
    } catch (error) {
      const { message } = translate(error)
      const code = error instanceof ProtocolError ? error.code : 'BAD_MANIFEST'
      const remedy = 'the key is that of a core, but not of a log that this version can read'
      return { check, outcome: 'failed', text: message, remedy, code }
    }
  }

  async checkData(): Promise<Finding> {
    const check = 'data cores'
    const manifest = this.#manifest
    if (manifest === null) return skipped(check, 'the manifest does not name them')
    if (manifest.version === 0) return skipped(check, 'a tutorial log does not say what they hold')
    const newest = await this.#newestBlocks(manifest)
    if (newest === null) return gone('the newest record of the journal')
    if (newest.length === 0) return { check, outcome: 'ok', text: 'nothing was published yet' }
    const { store } = internalsOf(this.#node as Node)
    const missing: string[] = []
    for (const { core, block } of newest) {
      const { key, name } = manifest.cores[core] as BootstrapManifest['cores'][number]
      const session = store.get({ key: keyToBytes(key) })
      await session
        .get(block, { timeout: this.#timeout })
        .catch(() => missing.push(`block ${block} of core ${name}`))
    }
    if (missing.length === 0) return { check, outcome: 'ok', text: 'the newest lines are served' }
    return gone(missing.join(', '))
  }

  /**
   * The last block of each core that the newest journal record names: a core that nothing was written to has none. Null where
   * nobody serves that record.
   */
  async #newestBlocks(manifest: LogManifest): Promise<{ core: number; block: number }[] | null> {
    const core = this.#core as Hypercore
    if (core.length < 2) return []
    const block = await core.get(core.length - 1, { timeout: this.#timeout }).catch(() => null)
    if (block === null) return null
    const { at } = decodeRecord(block, core.length - 1, manifest)
    return at.map(([index, length, count]) => ({ core: index, block: length + count - 1 }))
  }

  /** A failure of the way to the world is none where a peer is near. */
  #unlessNear(check: Check, text: string, remedy: string): Finding {
    const isNear = this.#vias.has('local') || this.#vias.has('lan')
    return isNear ? { check, outcome: 'warning', text, remedy } : failed(check, text, remedy)
  }

  #hear(status: Status): void {
    if (status.state === 'connected') this.#vias.add(status.via)
  }

  /** Resolves when `condition` has come true, or no more time is left for it. */
  async #until(condition: () => boolean): Promise<void> {
    await comesTrue(condition, this.#timeout, this.#options.signal).catch(ignore)
  }
}

function failed(check: Check, text: string, remedy: string): Finding {
  return { check, outcome: 'failed', text, remedy, code: 'NOT_FOUND' }
}

function gone(what: string): Finding {
  const remedy = 'ask whoever writes the log to serve it again, or somebody who has read all of it'
  return { check: 'data cores', outcome: 'failed', text: `nobody serves ${what}`, remedy, code: 'GONE' }
}

function skipped(check: Check, text: string): Finding {
  return { check, outcome: 'skipped', text }
}

function skipLocal(check: Check): () => Promise<Finding> {
  return () => Promise.resolve(skipped(check, 'with local, no network is used'))
}

function sendDatagram(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', reject)
    socket.send(DISCARDED, port, host, (error) => {
      socket.close()
      if (error === null) resolve()
      else reject(error)
    })
  })
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}

function ignore(): void {}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
