import { createSocket } from 'node:dgram'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BootstrapManifest,
  type CoreKey,
  decodeManifest,
  keyToBytes,
  type LogManifest,
  parseKey
} from '@many-cores/protocol'
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import type HyperDHT from 'hyperdht'
import { ignore, type NodeError, translate } from './errors.ts'
import { forkError, readForks } from './integrity/history.ts'
import { internalsOf } from './internals.ts'
import { decodeRecord } from './journal/record.ts'
import { type Address, parseAddress } from './network/address.ts'
import { dhtOptions } from './network/dht-options.ts'
import { type PeerKeyPair, peerKeyPairOf } from './network/identity.ts'
import { checkRendezvous, checkRootLength, rendezvousRoot } from './network/local.ts'
import { type Node, type NodeOptions, openNodeAs } from './node.ts'
import type { Via } from './status.ts'
import { openStore } from './store/store.ts'
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
  extends Pick<NodeOptions, 'bootstrap' | 'local' | 'lan' | 'relay' | 'allow' | 'rendezvous' | 'signal'> {
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
  const { key, bootstrap = [], rendezvous, signal } = options
  if (rendezvous !== undefined) checkRootLength(rendezvous)
  const parsed = key === undefined ? null : parseKey(key)
  for await (const finding of examine(parsed, bootstrap.map(parseAddress), options)) {
    if (signal?.aborted === true) return
    yield finding
  }
}

async function* examine(
  key: CoreKey | null,
  nodes: readonly Address[],
  options: DiagnosisOptions
): AsyncGenerator<Finding, void, undefined> {
  const { storage, local = false, rendezvous, timeout = DEFAULT_TIMEOUT_MS, signal } = options
  const until = (condition: () => boolean): Promise<unknown> =>
    comesTrue(condition, timeout, signal).catch(ignore)
  const identity = key === null || storage === undefined ? NOBODY : await identify(storage, key)
  // looks for the log from now on, by every way, while the rest is checked
  await using search = key === null ? null : await openSearch(key, identity.keyPair, options)
  yield await checkRuntime(rendezvous ?? rendezvousRoot())
  if (identity.finding !== null) yield identity.finding
  if (local)
    for (const check of ['udp', 'dht', 'nat', 'announcement'] as const)
      yield skipped(check, 'with local, no network is used')
  else
    for await (const finding of checkWorld(search, nodes, options, until)) {
      // a failure of the way to the world is none where a peer is near
      const isNear = search?.vias.has('local') === true || search?.vias.has('lan') === true
      yield finding.outcome === 'failed' && isNear ? warning(finding) : finding
    }
  if (search === null || key === null) return
  const { core } = search
  await until(() => core.peers.length > 0)
  const peer = checkPeer(search, identity.howToBeAllowed, local)
  yield peer
  const block = core.peers.length === 0 ? null : await core.get(0, { timeout }).catch(() => null)
  yield peer.outcome === 'ok' ? checkBootstrap(core, block) : skipped('bootstrap core', 'there is no peer')
  const manifest = block === null ? skipped('manifest', 'there is no block 0') : checkManifest(block, key)
  yield manifest
  yield manifest.outcome === 'ok' && block !== null
    ? await checkData(search, decodeManifest(block, key), timeout)
    : skipped('data cores', 'the manifest does not name them')
}

/** Under which id peers are asked. */
interface Identity {
  readonly keyPair: PeerKeyPair | null
  readonly howToBeAllowed: string
  readonly finding: Finding | null
}

const NOBODY: Identity = {
  keyPair: null,
  howToBeAllowed: 'name the store whose id they are to allow',
  finding: null
}

/** That of the store, where it can be had. */
async function identify(storage: string, key: CoreKey): Promise<Identity> {
  const check = 'store'
  try {
    const keyPair = await peerKeyPairOf(storage)
    if (keyPair === null) {
      const howToBeAllowed = 'let `reader id` make the store, and have them allow the id that it prints'
      const text = `${storage}: there is none yet; peers are asked under another id`
      return { keyPair, howToBeAllowed, finding: skipped(check, text) }
    }
    const id = b4a.toString(keyPair.publicKey, 'hex')
    const fault = await findFork(storage, key)
    const finding =
      fault === null
        ? ok(check, `${storage}: peers are asked under its id, ${id}`)
        : failed(
            check,
            fault.message,
            'the log cannot be mended: ask its owner for the key of a new one',
            fault.code
          )
    return { keyPair, howToBeAllowed: `have them --allow ${id}`, finding }
  } catch (error) {
    const { code, message } = translate(error)
    const howToBeAllowed = 'look again when the store is not in use, to ask under its id'
    // two with one id would take each other's place at their peers
    const finding =
      code === 'STORE_IN_USE'
        ? skipped(check, `${message}; peers are asked under another id`)
        : failed(check, message, 'name another directory with --storage', code)
    return { keyPair: null, howToBeAllowed, finding }
  }
}

/** The error for a fork of this log that the store has recorded. */
async function findFork(storage: string, key: CoreKey): Promise<NodeError | null> {
  const forks = readForks(storage)
  if (forks.length === 0) return null
  const { store } = await openStore(storage, { fsync: false })
  try {
    const block = await store.get({ key: keyToBytes(key) }).get(0, { wait: false })
    const cores = block === null ? [] : decodeManifest(block, key).cores
    const names = new Map([[key, 'bootstrap'], ...cores.map((core) => [core.key, core.name] as const)])
    const own = forks.find((fork) => names.has(fork.key))
    return own === undefined ? null : forkError(names.get(own.key) ?? own.key, own)
  } finally {
    await store.close()
  }
}

/** A node that looks for the log. */
interface Search extends AsyncDisposable {
  readonly node: Node
  /** The bootstrap core. */
  readonly core: Hypercore
  /** How peers were reached. */
  readonly vias: ReadonlySet<Via>
}

async function openSearch(
  key: CoreKey,
  keyPair: PeerKeyPair | null,
  { bootstrap, local, lan, relay, allow, rendezvous, signal }: DiagnosisOptions
): Promise<Search> {
  const vias = new Set<Via>()
  const directory = await mkdtemp(join(tmpdir(), 'many-cores-doctor-'))
  let node: Node | null = null
  const close = async (): Promise<void> => {
    await node?.close()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    node = await openNodeAs(keyPair, {
      storage: join(directory, 'store'),
      onStatus: (status) => status.state === 'connected' && vias.add(status.via),
      ...(bootstrap !== undefined && { bootstrap }),
      ...(local !== undefined && { local }),
      ...(lan !== undefined && { lan }),
      ...(relay !== undefined && { relay }),
      ...(allow !== undefined && { allow }),
      ...(rendezvous !== undefined && { rendezvous }),
      ...(signal !== undefined && { signal })
    })
    const { store, join: find } = internalsOf(node)
    const core = store.get({ key: keyToBytes(key) })
    await core.ready()
    await find(core)
    return { node, core, vias, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

async function checkRuntime(root: string): Promise<Finding> {
  const check = 'runtime directory'
  try {
    await checkRendezvous(root)
    return ok(check, `${root}: programs on this machine can meet there`)
  } catch (error) {
    const remedy = 'set XDG_RUNTIME_DIR to a directory that is yours alone (mode 0700), with a short path'
    return failed(check, `${root}: ${messageOf(error)}`, remedy)
  }
}

/** What leads beyond this machine and its network. */
async function* checkWorld(
  search: Search | null,
  nodes: readonly Address[],
  { bootstrap, relay }: DiagnosisOptions,
  until: (condition: () => boolean) => Promise<unknown>
): AsyncGenerator<Finding, void, undefined> {
  yield await checkUdp(nodes[0] ?? PUBLIC_NODE)
  const { default: DHT } = await import('hyperdht')
  const dht = new DHT(dhtOptions(nodes))
  try {
    await until(() => dht.stats.requests.responses > 0)
    await until(() => dht.bootstrapped)
    const which = nodes.length === 0 ? 'the public DHT' : `the DHT at ${bootstrap?.join(', ')}`
    if (dht.stats.requests.responses === 0) {
      const remedy =
        nodes.length === 0
          ? 'let UDP out to any port and its answers in; where that cannot be had, run a DHT of your own and name it with --bootstrap'
          : 'see that a node runs there, and that UDP to it is let through'
      yield failed('dht', `${which} does not answer`, remedy)
      yield skipped('nat', 'nobody could say from where our packets come')
      if (search !== null) yield skipped('announcement', 'the DHT cannot be asked')
      return
    }
    yield ok('dht', `${which} answers`)
    yield checkNat(dht, relay !== undefined)
    if (search !== null) yield await checkAnnouncement(dht, search)
  } finally {
    await dht.destroy({ force: true })
  }
}

async function checkUdp({ host, port }: Address): Promise<Finding> {
  try {
    await sendDatagram(host, port)
    return ok('udp', `a packet to ${host}:${port} was sent`)
  } catch (error) {
    const remedy = 'connect this machine to a network, or let UDP out through its firewall'
    return failed('udp', `no packet can be sent to ${host}:${port}: ${messageOf(error)}`, remedy)
  }
}

function checkNat({ host, port, firewalled, randomized }: HyperDHT, hasRelay: boolean): Finding {
  const check = 'nat'
  const seen = host === null ? 'an unknown address' : `${host}${port > 0 ? `:${port}` : ''}`
  if (!firewalled) return ok(check, `open: anybody can reach us at ${seen}`)
  if (!randomized) return ok(check, `consistent: others see us at ${seen}, and can be met by hole punching`)
  const text = `random: others see us at ${seen}, at another port each`
  const remedy = 'a peer behind such a NAT, too, can be reached over a relay only: --relay KEY on either side'
  return { check, outcome: hasRelay ? 'ok' : 'warning', text, remedy }
}

async function checkAnnouncement(dht: HyperDHT, { node, core }: Search): Promise<Finding> {
  const check = 'announcement'
  const peers = new Set<string>()
  for await (const { peers: found } of dht.lookup(core.discoveryKey as Uint8Array)) {
    for (const { publicKey } of found) peers.add(b4a.toString(publicKey, 'hex'))
  }
  peers.delete(node.id)
  if (peers.size > 0) return ok(check, `${count(peers.size, 'peer announces', 'peers announce')} this key`)
  const remedy = 'see that the key is right, and that the writer runs, with a DHT that answers'
  return failed(check, 'nobody announces this key over the DHT', remedy)
}

function checkPeer({ node, core, vias }: Search, howToBeAllowed: string, local: boolean): Finding {
  const check = 'peer'
  const { whyAlone, peers } = internalsOf(node)
  const refused = core.peers.length > 0 ? null : peers.whyRefused()
  if (refused?.reason === 'full')
    return failed(check, refused.text, 'give that peer a larger --max-peers, or wait for a place')
  if (refused?.by === 'us') return failed(check, refused.text, 'name that peer with --allow, too')
  if (refused?.reason === 'not-allowed') return failed(check, refused.text, howToBeAllowed)
  if (node.peers > 0)
    return ok(check, `${count(node.peers, 'peer', 'peers')} connected, by ${[...vias].join(' and ')}`)
  const remedy = local
    ? 'start the writer, or a reader that has the log, on this machine as the same user'
    : 'try --relay KEY where both sides are behind strict NATs'
  const allowing = `where peers allow only some, ${howToBeAllowed}`
  return failed(check, `no peer answered: ${whyAlone()}`, `${remedy}; ${allowing}`)
}

function checkBootstrap(core: Hypercore, block: Uint8Array | null): Finding {
  const check = 'bootstrap core'
  const remedy = 'see that the key is right, letter by letter, and that the writer has begun'
  if (block !== null) return ok(check, `block 0 is here, of ${core.length}`)
  if (core.peers.length === 0) return failed(check, 'no peer has this log', remedy)
  return failed(check, 'a peer knows the log, but has not its first block', remedy)
}

function checkManifest(block: Uint8Array, key: CoreKey): Finding {
  const check = 'manifest'
  try {
    const { version, cores } = decodeManifest(block, key)
    const kind = version === 0 ? 'of a tutorial log' : `of version ${version}`
    return ok(check, `${kind}, with ${count(cores.length, 'core', 'cores')}`)
  } catch (error) {
    const { code, message } = translate(error)
    return failed(
      check,
      message,
      'the key is that of a core, but not of a log that this version can read',
      code
    )
  }
}

/** The last block of each core that the newest journal record names: a core that nothing was written to has none. */
async function checkData(
  { node, core }: Search,
  manifest: BootstrapManifest,
  timeout: number
): Promise<Finding> {
  const check = 'data cores'
  const newest = core.length - 1
  if (manifest.version === 0) return skipped(check, 'a tutorial log does not say what they hold')
  if (newest < 1) return ok(check, 'nothing was published yet')
  const block = await core.get(newest, { timeout }).catch(() => null)
  if (block === null) return gone('the newest record of the journal')
  const { store } = internalsOf(node)
  const missing: string[] = []
  for (const [index, length, added] of decodeRecord(block, newest, manifest).at) {
    const { key, name } = manifest.cores[index] as LogManifest['cores'][number]
    const last = length + added - 1
    await store
      .get({ key: keyToBytes(key) })
      .get(last, { timeout })
      .catch(() => missing.push(`block ${last} of core ${name}`))
  }
  return missing.length === 0 ? ok(check, 'the newest lines are served') : gone(missing.join(', '))
}

function ok(check: Check, text: string): Finding {
  return { check, outcome: 'ok', text }
}

function skipped(check: Check, text: string): Finding {
  return { check, outcome: 'skipped', text }
}

function failed(check: Check, text: string, remedy: string, code = 'NOT_FOUND'): Finding {
  return { check, outcome: 'failed', text, remedy, code }
}

function warning({ check, text, remedy = '' }: Finding): Finding {
  return { check, outcome: 'warning', text, remedy }
}

function gone(what: string): Finding {
  const remedy = 'ask whoever writes the log to serve it again, or somebody who has read all of it'
  return failed('data cores', `nobody serves ${what}`, remedy, 'GONE')
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
