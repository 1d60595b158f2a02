import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type Corestore from 'corestore'
import type { OnStatus, Via } from '../status.ts'
import type { Connection } from './network.ts'

/** The connected peers of a node: every connection replicates the whole store. */
export interface Peers {
  readonly add: (connection: Connection) => void
  readonly count: () => number
  /** Whether a connection to `peer` is open by a way that is as good as `via`, or better. */
  readonly isReached: (peer: string, via: Via) => boolean
  readonly close: () => Promise<void>
}

export interface PeersOptions {
  readonly onStatus: OnStatus
  /** The last connection to this peer has ended. */
  readonly onlost: (peer: string) => void
}

interface Peer {
  readonly stream: SecretStream
  readonly via: Via
}

/** What costs less and leaves the machine less is better. */
const RANK: Readonly<Record<Via, number>> = { local: 3, lan: 2, dht: 1, relay: 0 }

/** Keeps one connection to each peer, the best that was found. */
export function createPeers(store: Corestore, { onStatus, onlost }: PeersOptions): Peers {
  const opening = new Set<SecretStream>()
  const open = new Map<string, Peer>()

  const add = ({ stream, via }: Connection): void => {
    opening.add(stream)
    let fault = 'the connection ended'
    stream.on('error', (error) => {
      fault = error.message
    })
    stream.once('close', () => {
      opening.delete(stream)
    })
    stream.opened.then((opened) => {
      opening.delete(stream)
      if (opened) admit({ stream, via }, () => fault)
    }, ignore)
  }

  const admit = (peer: Peer, fault: () => string): void => {
    const { stream, via } = peer
    const id = b4a.toString(stream.remotePublicKey, 'hex')
    const existing = open.get(id)
    if (existing !== undefined && !replaces(peer, existing)) {
      onStatus({ state: 'spare', via, peer: id, better: existing.via })
      stream.destroy()
      return
    }
    open.set(id, peer)
    existing?.stream.destroy()
    store.replicate(stream)
    onStatus({ state: 'connected', via, peer: id, peers: open.size })
    stream.once('close', () => {
      if (open.get(id) !== peer) return
      open.delete(id)
      onStatus({ state: 'disconnected', via, peer: id, peers: open.size, reason: fault() })
      onlost(id)
    })
  }

  const isReached = (peer: string, via: Via): boolean => {
    const existing = open.get(peer)
    return existing !== undefined && RANK[existing.via] >= RANK[via]
  }

  const close = async (): Promise<void> => {
    const streams = [...opening, ...[...open.values()].map((peer) => peer.stream)]
    await Promise.all(streams.map(closed))
  }

  return { add, count: () => open.size, isReached, close }
}

/**
 * The better way wins. By one way, two peers that call each other at once get two connections: both ends keep the one whose
 * caller has the greater key. A second one by the same caller is newer, and its caller knows the first to be dead.
 */
function replaces({ stream, via }: Peer, existing: Peer): boolean {
  if (RANK[via] !== RANK[existing.via]) return RANK[via] > RANK[existing.via]
  if (stream.isInitiator === existing.stream.isInitiator) return true
  const ours = b4a.compare(stream.publicKey, stream.remotePublicKey) > 0
  return stream.isInitiator === ours
}

function closed(stream: SecretStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve()
    stream.once('close', () => resolve())
    stream.destroy()
  })
}

function ignore(): void {}
