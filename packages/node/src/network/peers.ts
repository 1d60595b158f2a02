import { once } from 'node:events'
import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type Corestore from 'corestore'
import { ignore } from '../errors.ts'
import type { OnStatus, Via } from '../status.ts'
import { withTimeout } from '../waiting.ts'
import { Handshakes } from './guard/handshakes.ts'
import { Probation } from './guard/probation.ts'
import { onRefusal, type Refusal, Refusals, type Refused, refuse } from './guard/refusals.ts'
import { LimitedMux, type ServingOptions } from './guard/serving.ts'

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
  /** Whether this peer is connected over this network or a better one: another connection is of no use. */
  readonly isReached: (peer: string, via: Via) => boolean
  /** Whether this peer may connect; if not, it need not be called either. */
  readonly isAllowed: (peer: string) => boolean
  /** Whether this peer has just refused this node, and is not called again yet. */
  readonly isRefusing: (peer: string) => boolean
  /** Whether a connected peer, by its public key in hex, announces a block only after an fsync. */
  readonly hasFsync: (peer: string) => boolean
  /** Whether no more peers need be called. */
  readonly isFull: () => boolean
  /** The refusal that explains best why no peer is connected; null if there is none. */
  readonly whyRefused: () => WhyRefused | null
  /** Resolves once all stored blocks have been announced to every peer. */
  readonly announced: () => Promise<void>
  /** Ends the connections once sent data has arrived, or after a timeout. */
  readonly end: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface WhyRefused extends Refused {
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
  readonly mux: LimitedMux
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

/** A channel of this protocol promises an fsync before announcements. Its id is the sender's public key. */
const FSYNC = 'many-cores/synced'

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
    void handshakes.await(connection.stream).then((opened) => {
      if (opened) admit(connection)
    })
  }

  const admit = (connection: Connection): void => {
    const { stream, via } = connection
    const id = b4a.toString(stream.remotePublicKey, 'hex')
    const refusal = whyNot(connection, id)
    if (refusal !== null) {
      turnAway(connection, id, refusal)
      return
    }
    const existing = open.get(id)
    if (existing !== undefined && !isBetter(connection, existing)) {
      onStatus({ state: 'spare', via, peer: id, better: existing.via })
      stream.destroy()
      return
    }
    keep(connection, id)
    existing?.stream.destroy()
  }

  const keep = ({ stream, via }: Connection, id: string): void => {
    const mux = new LimitedMux(stream, serving)
    // Hypercore does this only if it makes the multiplexer
    if (stream.keepAlive === 0) stream.setKeepAlive(KEEP_ALIVE_MS)
    store.replicate(stream)
    let refusal: Refusal | null = null
    onRefusal(stream, (reason) => {
      refusal = reason
      refusals.add({ peer: id, by: 'them', reason, via }, performance.now())
      onStatus({ state: 'refused', via, peer: id, by: 'them', reason: REASONS[reason] })
    })
    if (serving.wal.isOn) mux.createChannel({ protocol: FSYNC, id: stream.publicKey })?.open()
    mux.pair({ protocol: FSYNC }, () => {
      peer.hasFsync = true
    })
    const peer: Peer = { stream, via, probation: new Probation(stream), mux, hasFsync: false }
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

  /** Why a peer is refused. On a full node, one that shares no log, or a remote one, may be dropped. */
  const whyNot = ({ via, isWriter = false }: Connection, id: string): Refusal | null => {
    if (!isAllowed(id)) return 'not-allowed'
    if (open.has(id) || open.size < maxPeers || isWriter) return null
    const isIdle = ({ probation }: Peer): boolean =>
      !probation.isOver && performance.now() - probation.since > GRACE_MS
    const peers = [...open.values()]
    const victim = peers.find(isIdle) ?? peers.find((peer) => via === 'local' && peer.via !== 'local')
    victim?.stream.destroy(new Error('replaced by another peer: the limit of --max-peers is reached'))
    return victim === undefined ? 'full' : null
  }

  const whyRefused = (): WhyRefused | null => {
    const current = refusals.current(performance.now())
    const find = (by: Refused['by'], reason: Refusal, text: string): WhyRefused | null => {
      const refused = current.find((each) => each.by === by && each.reason === reason)
      return refused === undefined ? null : { ...refused, text: `${text}${by === 'us' ? refused.peer : ''}` }
    }
    return (
      find(
        'them',
        'not-allowed',
        `refused by a peer: this reader's id is not on its --allow list: ${self}`
      ) ??
      find('them', 'full', 'refused by a peer: its limit of --max-peers is reached') ??
      find('us', 'not-allowed', "a peer was refused: its id is not on this reader's --allow list: ")
    )
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
    announced: async () => void (await Promise.all([...open.values()].map(({ mux }) => mux.announced()))),
    end: async () => void (await Promise.all([...open.values()].map(({ stream }) => ended(stream)))),
    close: async () => {
      const streams = [...handshakes.streams, ...refusing, ...[...open.values()].map((peer) => peer.stream)]
      await Promise.all(streams.map(closed))
    }
  }
}

/**
 * Two peers that call each other at once over one network get two connections: both keep the one whose caller
 * has the greater key. A second one from the same caller is newer, and its caller knows that the first is
 * dead.
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
  await withTimeout(closing, { timeout: END_MS })
}

function closed(stream: SecretStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve()
    stream.once('close', () => resolve())
    stream.destroy()
  })
}
