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
import { hasStore, logIdentity, lookAtLog } from './log-node.ts'
import { type Address, parseAddress, whyUnresolved } from './network/address.ts'
import { dhtOptions } from './network/dht-options.ts'
import { type PeerKeyPair, peerIdOf } from './network/identity.ts'
import { checkRendezvous, rendezvousRoot } from './network/local.ts'
import { type Node, type NodeOptions, openNodeIn } from './node.ts'
import { checkOptions } from './options.ts'
import type { Via } from './status.ts'
import { isThere } from './store/directory.ts'
import { waitUntil } from './waiting.ts'

/** What a connection needs, in the order in which it is checked. */
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

/** The result of one check. */
export interface Finding {
  readonly check: Check
  /** `warning`: may prevent some connections. `skipped`: not requested, or not possible after an earlier failure. */
  readonly outcome: 'ok' | 'warning' | 'failed' | 'skipped'
  /** What was seen. */
  readonly text: string
  /** What to do about it. */
  readonly remedy?: string
  /** If the check failed: the code of the error that a reader would end with. */
  readonly code?: string
}

export interface DiagnosisOptions
  extends Pick<NodeOptions, 'bootstrap' | 'local' | 'lan' | 'relay' | 'allow' | 'rendezvous' | 'signal'> {
  /** The log to find. Without one, only this machine and its network are checked. */
  readonly key?: string
  /**
   * The home of the reader that should find it, as for `openLogNode`. Peers see the id of its store, which they may have to allow, unless
   * the store is in use. Default: none, and a new id.
   */
  readonly home?: string
  /** The limit of each check, in ms. Default 10,000. */
  readonly timeout?: number
}

const DEFAULT_TIMEOUT_MS = 10_000

/** A node of the public DHT. It ignores the packet. */
const PUBLIC_NODE: Address = { host: '88.99.3.86', port: 49_737 }

/**
 * Checks in order what a reader needs to find its log. Uses a temporary store.
 *
 * @throws ProtocolError `BAD_KEY`; NodeError `BAD_OPTION`
 */
export async function* diagnose(options: DiagnosisOptions = {}): AsyncGenerator<Finding, void, undefined> {
  checkOptions('DiagnosisOptions', options)
  const { key, bootstrap = [], signal } = options
  const rendezvous = rendezvousRoot(options.rendezvous)
  const parsed = key === undefined ? null : parseKey(key)
  for await (const finding of examine(parsed, bootstrap.map(parseAddress), { ...options, rendezvous })) {
    if (signal?.aborted === true) return
    yield finding
  }
}

async function* examine(
  key: CoreKey | null,
  nodes: readonly Address[],
  options: DiagnosisOptions & { readonly rendezvous: string }
): AsyncGenerator<Finding, void, undefined> {
  const { home, local = false, rendezvous, timeout = DEFAULT_TIMEOUT_MS, signal } = options
  const wait = (condition: () => boolean): Promise<unknown> =>
    waitUntil(condition, timeout, signal).catch(ignore)
  const identity = key === null || home === undefined ? ANONYMOUS : await identify(home, key)
  // searches for the log while the other checks run
  await using search = key === null ? null : await openSearch(key, identity, options)
  yield await checkRuntime(rendezvous)
  if (identity.finding !== null) yield identity.finding
  if (local)
    for (const check of ['udp', 'dht', 'nat', 'announcement'] as const)
      yield skipped(check, '--local uses no network')
  else
    for await (const finding of checkInternet(search, nodes, options, wait)) {
      // a nearby peer needs no internet
      const isNear = search?.vias.has('local') === true || search?.vias.has('lan') === true
      yield finding.outcome === 'failed' && isNear ? warning(finding) : finding
    }
  if (search === null || key === null) return
  const { core } = search
  await wait(() => core.peers.length > 0)
  const peer = checkPeer(search, identity.allowRemedy, local)
  yield peer
  const block = core.peers.length === 0 ? null : await core.get(0, { timeout }).catch(() => null)
  yield peer.outcome === 'ok' ? checkBootstrap(core, block) : skipped('bootstrap core', 'no peer')
  const manifest = block === null ? skipped('manifest', 'no block 0') : checkManifest(block, key)
  yield manifest
  yield manifest.outcome === 'ok' && block !== null
    ? await checkData(search, decodeManifest(block, key), timeout)
    : skipped('data cores', 'no manifest that names them')
}

/** The id that peers see. */
interface Identity {
  readonly keyPair: PeerKeyPair | null
  /** The id that peers have to allow. */
  readonly id?: string
  /** What to do if a peer does not allow it. */
  readonly allowRemedy: string
  readonly finding: Finding | null
}

const ANONYMOUS: Identity = {
  keyPair: null,
  allowRemedy: 'name the store of your reader with --storage: peers must allow its id',
  finding: null
}

/** The identity of the log's store in a home. A new one if there is none, or the store cannot be opened. */
async function identify(home: string, key: CoreKey): Promise<Identity> {
  const check = 'store'
  const unused = (finding: Finding, allowRemedy: string): Identity => ({
    keyPair: null,
    allowRemedy,
    finding
  })
  const stop = 'stop the program that uses the store, and try again'
  try {
    if (!(await isThere(home)))
      return unused(
        skipped(check, `${home} does not exist yet; using a new id`),
        'run `reader id`, and add the id that it prints to the --allow of the peer'
      )
    const { id, keyPair } = await logIdentity(home, key)
    const seen = (await hasStore(home, key))
      ? await lookAtLog({ home, key }, async (node) => ({
          isInUse: node.isTemporary,
          fault: await findFork(node, key)
        }))
      : { isInUse: false, fault: null }
    // the reader that has the store open would lose its connections to a second node with its id
    if (seen.isInUse)
      return unused(skipped(check, `${home}: the store of this log is in use; using a new id`), stop)
    const finding =
      seen.fault === null
        ? ok(check, `${home} has the id ${id}`)
        : failed(
            check,
            seen.fault.message,
            'ask the owner of the log for the key of a new one',
            seen.fault.code
          )
    return { keyPair, id, allowRemedy: `start the peer with --allow ${id}`, finding }
  } catch (error) {
    const { code, message } = translate(error)
    const isInUse = code === 'STORE_IN_USE'
    return unused(
      isInUse
        ? skipped(check, `${message}; using a new id`)
        : failed(check, message, 'use another --storage', code),
      stop
    )
  }
}

/** The error for a fork of this log that the store has recorded. */
async function findFork(node: Node, key: CoreKey): Promise<NodeError | null> {
  const forks = readForks(node.storage)
  if (forks.length === 0) return null
  const block = await internalsOf(node)
    .store.get({ key: keyToBytes(key) })
    .get(0, { wait: false })
  const cores = block === null ? [] : decodeManifest(block, key).cores
  const names = new Map([[key, 'bootstrap'], ...cores.map((core) => [core.key, core.name] as const)])
  const own = forks.find((fork) => names.has(fork.key))
  return own === undefined ? null : forkError(names.get(own.key) ?? own.key, own)
}

/** A node that searches for the log. */
interface Search extends AsyncDisposable {
  readonly node: Node
  /** Under which it is announced. */
  readonly publicKey: string
  /** The bootstrap core. */
  readonly core: Hypercore
  /** How peers are connected. */
  readonly vias: ReadonlySet<Via>
}

async function openSearch(
  key: CoreKey,
  { keyPair, id }: Identity,
  options: DiagnosisOptions
): Promise<Search> {
  const vias = new Set<Via>()
  const directory = await mkdtemp(join(tmpdir(), 'many-cores-doctor-'))
  let node: Node | null = null
  const close = async (): Promise<void> => {
    await node?.close()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    const place = keyPair === null ? {} : { keyPair, ...(id !== undefined && { id }) }
    node = await openNodeIn(place, {
      ...options,
      storage: join(directory, 'store'),
      onStatus: (status) => status.state === 'connected' && vias.add(status.via)
    })
    const { store, join: find } = internalsOf(node)
    const core = store.get({ key: keyToBytes(key) })
    await core.ready()
    await find(core)
    const publicKey = keyPair === null ? node.id : peerIdOf(keyPair)
    return { node, publicKey, core, vias, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

async function checkRuntime(root: string): Promise<Finding> {
  const check = 'runtime directory'
  const remedy = 'set MANY_CORES_RENDEZVOUS to a directory of yours with mode 0700, the same for each program'
  return await checkRendezvous(root).then(
    () => ok(check, `programs of this user on this machine find each other in ${root}`),
    (error: unknown) => failed(check, messageOf(error), remedy)
  )
}

async function* checkInternet(
  search: Search | null,
  nodes: readonly Address[],
  { bootstrap, relay }: DiagnosisOptions,
  wait: (condition: () => boolean) => Promise<unknown>
): AsyncGenerator<Finding, void, undefined> {
  const unresolved = await whyUnresolved(nodes)
  yield unresolved === null ? await checkUdp(nodes[0] ?? PUBLIC_NODE) : skipped('udp', unresolved)
  const { default: DHT } = await import('hyperdht')
  const dht = new DHT(dhtOptions(nodes))
  try {
    await wait(() => dht.stats.requests.responses > 0)
    await wait(() => dht.bootstrapped)
    const name = nodes.length === 0 ? 'the public DHT' : `the DHT at ${bootstrap?.join(', ')}`
    if (dht.stats.requests.responses === 0) {
      const remedy =
        nodes.length === 0
          ? 'allow outgoing UDP to any port, and the answers; or run your own DHT and use --bootstrap'
          : 'check that a node runs there, and that no firewall blocks UDP to it'
      yield unresolved === null
        ? failed('dht', `${name} does not answer`, remedy)
        : failed('dht', unresolved, 'check the spelling of --bootstrap, and the DNS of this machine')
      yield skipped('nat', 'no DHT node reports our address')
      if (search !== null) yield skipped('announcement', 'no DHT')
      return
    }
    yield ok('dht', `${name} answers`)
    yield checkNat(dht, relay !== undefined)
    if (search !== null) yield await checkAnnouncement(dht, search)
  } finally {
    await dht.destroy({ force: true })
  }
}

async function checkUdp({ host, port }: Address): Promise<Finding> {
  const remedy = 'connect this machine to a network, or allow outgoing UDP in its firewall'
  return await sendDatagram(host, port).then(
    () => ok('udp', `sent a packet to ${host}:${port}`),
    (error: unknown) => failed('udp', `cannot send a packet to ${host}:${port}: ${messageOf(error)}`, remedy)
  )
}

function checkNat({ host, port, firewalled, randomized }: HyperDHT, hasRelay: boolean): Finding {
  const check = 'nat'
  const address = host === null ? 'an unknown address' : `${host}${port > 0 ? `:${port}` : ''}`
  if (!firewalled) return ok(check, `open: any peer can connect to ${address}`)
  if (!randomized) return ok(check, `consistent: peers see ${address}, hole punching works`)
  const text = `random: each peer sees another port of ${address}`
  const remedy = 'peers behind such a NAT need a relay: use --relay KEY on either side'
  return { check, outcome: hasRelay ? 'ok' : 'warning', text, remedy }
}

async function checkAnnouncement(dht: HyperDHT, { publicKey: own, core }: Search): Promise<Finding> {
  const check = 'announcement'
  const peers = new Set<string>()
  for await (const { peers: found } of dht.lookup(core.discoveryKey as Uint8Array)) {
    for (const { publicKey } of found) peers.add(b4a.toString(publicKey, 'hex'))
  }
  peers.delete(own)
  if (peers.size > 0) return ok(check, `peers that announce this key: ${peers.size}`)
  const remedy = 'check the key, and that the writer runs and its DHT answers'
  return failed(check, 'no peer announces this key on the DHT', remedy)
}

function checkPeer({ node, core, vias }: Search, allowRemedy: string, local: boolean): Finding {
  const check = 'peer'
  const { explainNoPeers, peers } = internalsOf(node)
  const refused = core.peers.length > 0 ? null : peers.whyRefused()
  if (refused?.reason === 'full')
    return failed(check, refused.text, 'start that peer with a larger --max-peers, or try again later')
  if (refused?.by === 'us') return failed(check, refused.text, 'add that peer to your --allow')
  if (refused?.reason === 'not-allowed') return failed(check, refused.text, allowRemedy)
  if (node.peers > 0) return ok(check, `connected peers: ${node.peers}, by ${[...vias].join(' and ')}`)
  const remedy = local
    ? 'start the writer, or a reader that has the log, on this machine as the same user'
    : 'if both sides are behind strict NATs, use --relay KEY'
  return failed(
    check,
    `no peer answered: ${explainNoPeers()}`,
    `${remedy}. If peers use --allow: ${allowRemedy}`
  )
}

function checkBootstrap(core: Hypercore, block: Uint8Array | null): Finding {
  const check = 'bootstrap core'
  const remedy = 'check each character of the key, and that the writer has started'
  if (block !== null) return ok(check, `received block 0 of ${core.length}`)
  if (core.peers.length === 0) return failed(check, 'no peer has this log', remedy)
  return failed(check, 'a peer knows the log, but does not have its first block', remedy)
}

function checkManifest(block: Uint8Array, key: CoreKey): Finding {
  const check = 'manifest'
  try {
    const { version, cores } = decodeManifest(block, key)
    return ok(check, `${version === 0 ? 'tutorial log' : `version ${version}`}, data cores: ${cores.length}`)
  } catch (error) {
    const { code, message } = translate(error)
    return failed(check, message, 'the key belongs to a core that is not a log of this version', code)
  }
}

/** Fetches the last block of each core that the newest journal record names: other cores may be empty. */
async function checkData(
  { node, core }: Search,
  manifest: BootstrapManifest,
  timeout: number
): Promise<Finding> {
  const check = 'data cores'
  const gone = (what: string): Finding =>
    failed(
      check,
      `no peer has ${what}`,
      'start the writer of the log, or a reader that has all of it',
      'GONE'
    )
  const newest = core.length - 1
  if (manifest.version === 0) return skipped(check, 'a tutorial log has no journal that names their blocks')
  if (newest < 1) return ok(check, 'nothing has been published yet')
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
  return missing.length === 0 ? ok(check, 'peers have the newest lines') : gone(missing.join(', '))
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

function sendDatagram(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', reject)
    socket.send(new Uint8Array(1), port, host, (error) => {
      socket.close()
      if (error === null) resolve()
      else reject(error)
    })
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
