import { once } from 'node:events'
import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type Corestore from 'corestore'
import { ignore } from '../errors.ts'
import type { OnStatus, Via } from '../status.ts'
import { within } from '../waiting.ts'
import { onFsyncPromise, promiseFsync } from './guard/fsync-promise.ts'
import { Handshakes } from './guard/handshakes.ts'
import { Probation } from './guard/probation.ts'
import { onRefusal, type Refusal, refuse } from './guard/refusal.ts'
import { Refusals, type Refused } from './guard/refusals.ts'
import { limitRequests, type ServingOptions } from './guard/serving.ts'

/** An encrypted, authenticated stream to a peer, over any network. */
export interface Connection {
  readonly stream: SecretStream
  readonly via: Via
  /** Whether this node called the log's writer, which is always accepted. Default false. */
  readonly isWriter?: boolean
}

/** The peers of a node. Every connection replicates the whole store. */
export interface Peers {
  readonly add: (connection: Connection) => void
  readonly count: () => number
  /** Whether this peer is connected over the same network or a better one, so that another connection is of no use. */
  readonly isReached: (peer: string, via: Via) => boolean
  /** Whether this peer may connect; if not, it need not be called either. */
  readonly isAllowed: (peer: string) => boolean
  /** Whether this peer has just refused this node, and is not called again yet. */
  readonly isRefusing: (peer: string) => boolean
  /** Whether a connected peer, by its public key in hex, announces a block only after an fsync. */
  readonly hasFsync: (peer: string) => boolean
  /** Whether no more peers need be called. */
  readonly isFull: () => boolean
  /** The refusal that explains why no peer is connected; null if there is none. */
  readonly whyRefused: () => WhyRefused | null
  /** Resolves once all stored blocks have been announced to every peer. */
  readonly announced: () => Promise<void>
  /** Ends the connections once sent data has arrived, or after a timeout. */
  readonly end: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface WhyRefused {
  readonly reason: Refusal
  /** A clause for a message. */
  readonly text: string
}

export interface PeersOptions {
  /** This node's public key, in hex. */
  readonly id: string
  /** Public keys in hex; null allows all peers. */
  readonly allow: ReadonlySet<string> | null
  readonly maxPeers: number
  readonly serving: ServingOptions
  readonly onStatus: OnStatus
  /** The last connection to this peer has closed. */
  readonly ondisconnected: (peer: string) => void
}

interface Peer {
  readonly stream: SecretStream
  readonly via: Via
  readonly probation: Probation
  readonly announced: () => Promise<void>
  hasFsync: boolean
}

/** The cheaper network is better, and the one that stays closer to this machine. */
const RANK: Readonly<Record<Via, number>> = { local: 3, lan: 2, dht: 1, relay: 0 }

/** A peer that shares no log after this time makes room for others. */
const GRACE_MS = 2000

/** A peer that refuses this node is called again after this time. */
const REST_MS = 5000

/** A NAT forgets an idle mapping after about half a minute. */
const KEEP_ALIVE_MS = 5000

/** A connection over which sent data has not arrived after this time is cut. */
const END_MS = 500

/** This many refused peers are told the reason at once; others are disconnected without it. */
const MAX_REFUSING = 32

const REASONS: Readonly<Record<Refusal, string>> = {
  'not-allowed': 'its id is not on the --allow list',
  full: 'the limit of --max-peers is reached'
}

/** Keeps one connection to each allowed peer: the best that was found. */
export function createPeers(store: Corestore, options: PeersOptions): Peers {
  const { id: self, allow, maxPeers, serving, onStatus, ondisconnected } = options
  const handshakes = new Handshakes()
  const open = new Map<string, Peer>()
  const refusing = new Set<SecretStream>()
  const refusals = new Refusals()

  const isAllowed = (peer: string): boolean => allow === null || allow.has(peer)

  const add = (connection: Connection): void => {
    connection.stream.on('error', ignore)
    handshakes.await(connection.stream).then((opened) => {
      if (opened) admit(connection)
    }, ignore)
  }

  const admit = (connection: Connection): void => {
    const { stream, via } = connection
    const id = b4a.toString(stream.remotePublicKey, 'hex')
    if (!isAllowed(id)) {
      turnAway(connection, id, 'not-allowed')
      return
    }
    const existing = open.get(id)
    if (existing !== undefined && !isBetter(connection, existing)) {
      onStatus({ state: 'spare', via, peer: id, better: existing.via })
      stream.destroy()
      return
    }
    if (existing === undefined && !makeRoom(connection)) {
      turnAway(connection, id, 'full')
      return
    }
    keep(connection, id)
    existing?.stream.destroy()
  }

  const keep = ({ stream, via }: Connection, id: string): void => {
    const announced = limitRequests(stream, serving)
    // Hypercore does this only if it makes the multiplexer
    if (stream.keepAlive === 0) stream.setKeepAlive(KEEP_ALIVE_MS)
    store.replicate(stream)
    let refusal: Refusal | null = null
    onRefusal(stream, (reason) => {
      refusal = reason
      refusals.add({ peer: id, by: 'them', reason, via }, performance.now())
      onStatus({ state: 'refused', via, peer: id, by: 'them', reason: REASONS[reason] })
    })
    if (serving.wal.isOn) promiseFsync(stream)
    onFsyncPromise(stream, () => {
      peer.hasFsync = true
    })
    const peer: Peer = { stream, via, probation: new Probation(stream), announced, hasFsync: false }
    open.set(id, peer)
    onStatus({ state: 'connected', via, peer: id, peers: open.size })
    let reason = 'the connection was closed'
    stream.on('error', ({ message }) => {
      reason = message
    })
    stream.once('close', () => {
      if (refusal === null) refusals.delete(id)
      if (open.get(id) !== peer) return
      open.delete(id)
      onStatus({ state: 'disconnected', via, peer: id, peers: open.size, reason })
      // a peer that never shared a log is not looked up again
      if (refusal !== null || peer.probation.isOver) ondisconnected(id)
    })
  }

  const turnAway = ({ stream, via }: Connection, peer: string, reason: Refusal): void => {
    refusals.add({ peer, by: 'us', reason, via }, performance.now())
    onStatus({ state: 'refused', via, peer, by: 'us', reason: REASONS[reason] })
    if (refusing.size >= MAX_REFUSING) {
      stream.destroy()
      return
    }
    refusing.add(stream)
    stream.once('close', () => refusing.delete(stream))
    refuse(stream, reason)
  }

  /** Whether one more peer can be accepted; a peer that shares no log, or one that is further away, may be dropped for it. */
  const makeRoom = ({ via, isWriter = false }: Connection): boolean => {
    if (open.size < maxPeers || isWriter) return true
    const isIdle = ({ probation }: Peer): boolean =>
      !probation.isOver && performance.now() - probation.since > GRACE_MS
    const peers = [...open.values()]
    const victim =
      peers.find(isIdle) ?? (via === 'local' ? peers.find((peer) => peer.via !== 'local') : undefined)
    victim?.stream.destroy(new Error('replaced by another peer: the limit of --max-peers is reached'))
    return victim !== undefined
  }

  const whyRefused = (): WhyRefused | null => {
    const current = refusals.current(performance.now())
    const find = (by: Refused['by'], reason: Refusal): Refused | undefined =>
      current.find((refused) => refused.by === by && refused.reason === reason)
    if (find('them', 'not-allowed'))
      return {
        reason: 'not-allowed',
        text: `refused by a peer: this reader's id is not on its --allow list: ${self}`
      }
    if (find('them', 'full'))
      return { reason: 'full', text: 'refused by a peer: its limit of --max-peers is reached' }
    const stranger = find('us', 'not-allowed')
    if (stranger === undefined) return null
    return {
      reason: 'not-allowed',
      text: `a peer was refused: its id is not on this reader's --allow list: ${stranger.peer}`
    }
  }

  return {
    add,
    count: () => open.size,
    isReached: (peer, via) => {
      const existing = open.get(peer)
      return existing !== undefined && RANK[existing.via] >= RANK[via]
    },
    isAllowed,
    isRefusing: (peer) => refusals.isRefusing(peer, REST_MS, performance.now()),
    hasFsync: (peer) => open.get(peer)?.hasFsync === true,
    isFull: () => open.size >= maxPeers,
    whyRefused,
    announced: async () => void (await Promise.all([...open.values()].map((peer) => peer.announced()))),
    end: async () => void (await Promise.all([...open.values()].map(({ stream }) => ended(stream)))),
    close: async () => {
      const streams = [...handshakes, ...refusing, ...[...open.values()].map((peer) => peer.stream)]
      await Promise.all(streams.map(closed))
    }
  }
}

/**
 * Two peers that call each other at once, over the same network, get two connections: both keep the one whose caller has the
 * greater key. A second one from the same caller is newer, and its caller knows that the first one is dead.
 */
function isBetter({ stream, via }: Connection, existing: Peer): boolean {
  if (RANK[via] !== RANK[existing.via]) return RANK[via] > RANK[existing.via]
  if (stream.isInitiator === existing.stream.isInitiator) return true
  const isGreater = b4a.compare(stream.publicKey, stream.remotePublicKey) > 0
  return stream.isInitiator === isGreater
}

/** Ends the connection on both sides, which shows that sent data has arrived. */
async function ended(stream: SecretStream): Promise<void> {
  const closing = once(stream, 'close').catch(ignore)
  stream.end()
  await within(closing, { timeout: END_MS })
}

function closed(stream: SecretStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve()
    stream.once('close', () => resolve())
    stream.destroy()
  })
}
