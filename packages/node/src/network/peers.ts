import { once } from 'node:events'
import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type Corestore from 'corestore'
import type { OnStatus, Via } from '../status.ts'
import { within } from '../waiting.ts'
import { Handshakes } from './handshakes.ts'
import type { Connection, Gate } from './network.ts'
import { Probation } from './probation.ts'
import { onRefusal, type Refusal, refuse } from './refusal.ts'
import { Refusals, type Refused } from './refusals.ts'
import { boundServing, type ServingOptions } from './serving.ts'
import { onSyncPromise, promiseSync } from './synced.ts'

/** The connected peers of a node: every connection replicates the whole store. */
export interface Peers extends Gate {
  readonly count: () => number
  /** Whether a connected peer, by its public key in hex, syncs what it stores before it says that it has it. */
  readonly isSyncing: (peer: string) => boolean
  /** Who refuses whom now; null if nobody does. */
  readonly whyRefused: () => WhyRefused | null
  /** Resolves once every peer was sent what is stored here: a writer may wait for that. */
  readonly announced: () => Promise<void>
  /** Ends the connections once what was sent has arrived, or nobody takes it. */
  readonly end: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Why one side does not let the other in. */
export interface WhyRefused {
  readonly by: Refused['by']
  readonly reason: Refusal
  /** In words that go on from a colon. */
  readonly text: string
}

export interface PeersOptions {
  /** This node's public key, in hex. */
  readonly id: string
  /** Public keys in hex. Null: everybody. */
  readonly allow: ReadonlySet<string> | null
  readonly maxPeers: number
  readonly serving: ServingOptions
  readonly onStatus: OnStatus
  /** The last connection to this peer has ended. */
  readonly onlost: (peer: string) => void
}

interface Peer {
  readonly stream: SecretStream
  readonly via: Via
  readonly probation: Probation
  readonly announced: () => Promise<void>
  isSyncing: boolean
}

/** What costs less and leaves the machine less is better. */
const RANK: Readonly<Record<Via, number>> = { local: 3, lan: 2, dht: 1, relay: 0 }

/** Whoever has not shown by then that it shares a log makes room for others. */
const GRACE_MS = 2000

/** Whoever refuses this one is asked again after so long. */
const REST_MS = 5000

/** A way through a NAT is forgotten after half a minute or so. */
const KEEP_ALIVE_MS = 5000

/** Whoever takes nothing for so long is left. */
const END_MS = 500

/** So many who are refused are told why at once, and the others are not. */
const MAX_REFUSING = 32

const REASONS: Readonly<Record<Refusal, string>> = {
  'not-allowed': 'it is not one of those who are allowed',
  full: 'there are as many peers as may be'
}

/** Keeps one connection to each peer, the best that was found, to those who may. */
export function createPeers(store: Corestore, options: PeersOptions): Peers {
  const { id: self, allow, maxPeers, serving, onStatus, onlost } = options
  const handshakes = new Handshakes()
  const open = new Map<string, Peer>()
  const refusing = new Set<SecretStream>()
  const refusals = new Refusals()

  const isAllowed = (peer: string): boolean => allow === null || allow.has(peer)

  const add = (connection: Connection): void => {
    const { stream } = connection
    let fault = 'the connection ended'
    stream.on('error', (error) => {
      fault = error.message
    })
    handshakes.await(stream).then((opened) => {
      if (opened) admit(connection, () => fault)
    }, ignore)
  }

  const admit = (connection: Connection, fault: () => string): void => {
    const { stream, via } = connection
    const id = b4a.toString(stream.remotePublicKey, 'hex')
    if (!isAllowed(id)) {
      turnAway(connection, id, 'not-allowed')
      return
    }
    const existing = open.get(id)
    if (existing !== undefined && !replaces(connection, existing)) {
      onStatus({ state: 'spare', via, peer: id, better: existing.via })
      stream.destroy()
      return
    }
    if (existing === undefined && !makeRoom(connection)) {
      turnAway(connection, id, 'full')
      return
    }
    keep(connection, id, fault)
    existing?.stream.destroy()
  }

  const keep = ({ stream, via }: Connection, id: string, fault: () => string): void => {
    const announced = boundServing(stream, serving)
    // as Hypercore does where the multiplexer is its own
    if (stream.keepAlive === 0) stream.setKeepAlive(KEEP_ALIVE_MS)
    store.replicate(stream)
    let refusal: Refusal | null = null
    onRefusal(stream, (reason) => {
      refusal = reason
      refusals.add({ peer: id, by: 'them', reason, via }, performance.now())
      onStatus({ state: 'refused', via, peer: id, by: 'them', reason: REASONS[reason] })
    })
    if (serving.wal.isOn) promiseSync(stream)
    onSyncPromise(stream, () => {
      peer.isSyncing = true
    })
    const peer: Peer = { stream, via, probation: new Probation(stream), announced, isSyncing: false }
    open.set(id, peer)
    onStatus({ state: 'connected', via, peer: id, peers: open.size })
    stream.once('close', () => {
      if (refusal === null) refusals.delete(id)
      if (open.get(id) !== peer) return
      open.delete(id)
      onStatus({ state: 'disconnected', via, peer: id, peers: open.size, reason: fault() })
      // a peer that has never shared a log is not missed
      if (refusal !== null || peer.probation.isOver) onlost(id)
    })
  }

  const turnAway = ({ stream, via }: Connection, peer: string, refusal: Refusal): void => {
    refusals.add({ peer, by: 'us', reason: refusal, via }, performance.now())
    onStatus({ state: 'refused', via, peer, by: 'us', reason: REASONS[refusal] })
    if (refusing.size >= MAX_REFUSING) {
      stream.destroy()
      return
    }
    refusing.add(stream)
    stream.once('close', () => refusing.delete(stream))
    refuse(stream, refusal)
  }

  /** Whether there is room for one more; somebody who shares no log, or comes from further away, may have to go for it. */
  const makeRoom = ({ via, isWriter = false }: Connection): boolean => {
    if (open.size < maxPeers || isWriter) return true
    const isIdle = ({ probation }: Peer): boolean =>
      !probation.isOver && performance.now() - probation.since > GRACE_MS
    const peers = [...open.values()]
    const victim =
      peers.find(isIdle) ?? (via === 'local' ? peers.find((peer) => peer.via !== 'local') : undefined)
    victim?.stream.destroy(new Error('somebody else needs its place'))
    return victim !== undefined
  }

  const whyRefused = (): WhyRefused | null => {
    const current = refusals.current(performance.now())
    const find = (by: Refused['by'], reason: Refusal): Refused | undefined =>
      current.find((refused) => refused.by === by && refused.reason === reason)
    if (find('them', 'not-allowed'))
      return {
        by: 'them',
        reason: 'not-allowed',
        text: `a peer refuses this one, because it does not allow ${self}`
      }
    if (find('them', 'full'))
      return {
        by: 'them',
        reason: 'full',
        text: 'a peer refuses this one, because it has as many as it may have'
      }
    const stranger = find('us', 'not-allowed')
    if (stranger === undefined) return null
    return { by: 'us', reason: 'not-allowed', text: `a peer came that is not allowed: ${stranger.peer}` }
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
    isSyncing: (peer) => open.get(peer)?.isSyncing === true,
    isFull: () => open.size >= maxPeers,
    whyRefused,
    announced: async () => {
      await Promise.all([...open.values()].map((peer) => peer.announced()))
    },
    end: async () => {
      await Promise.all([...open.values()].map(({ stream }) => ended(stream)))
    },
    close: async () => {
      const streams = [...handshakes, ...refusing, ...[...open.values()].map((peer) => peer.stream)]
      await Promise.all(streams.map(closed))
    }
  }
}

/**
 * The better way wins. By one way, two peers that call each other at once get two connections: both ends keep the one whose
 * caller has the greater key. A second one by the same caller is newer, and its caller knows the first to be dead.
 */
function replaces({ stream, via }: Connection, existing: Peer): boolean {
  if (RANK[via] !== RANK[existing.via]) return RANK[via] > RANK[existing.via]
  if (stream.isInitiator === existing.stream.isInitiator) return true
  const ours = b4a.compare(stream.publicKey, stream.remotePublicKey) > 0
  return stream.isInitiator === ours
}

/** Ends it from both sides, which shows that what was written has arrived; cut off where that takes too long. */
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

function ignore(): void {}
