import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import type Corestore from 'corestore'
import type { OnStatus, Via } from '../status.ts'
import type { Connection } from './network.ts'

/** The connected peers of a node: every connection replicates the whole store. */
export interface Peers {
  readonly add: (connection: Connection) => void
  readonly count: () => number
  readonly close: () => Promise<void>
}

interface Peer {
  readonly stream: SecretStream
  readonly via: Via
}

export function createPeers(store: Corestore, onStatus: OnStatus): Peers {
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
    const slot = `${via} ${id}`
    const existing = open.get(slot)
    if (existing !== undefined && !replaces(stream, existing.stream)) {
      stream.destroy()
      return
    }
    open.set(slot, peer)
    existing?.stream.destroy()
    store.replicate(stream)
    onStatus({ state: 'connected', via, peer: id, peers: open.size })
    stream.once('close', () => {
      if (open.get(slot) !== peer) return
      open.delete(slot)
      onStatus({ state: 'disconnected', via, peer: id, peers: open.size, reason: fault() })
    })
  }

  const close = async (): Promise<void> => {
    const streams = [...opening, ...[...open.values()].map((peer) => peer.stream)]
    await Promise.all(streams.map(closed))
  }

  return { add, count: () => open.size, close }
}

/**
 * Two peers that call each other at once get two connections: both ends keep the one whose caller has the greater key. A
 * second one by the same caller is newer, and its caller knows the first to be dead.
 */
function replaces(stream: SecretStream, existing: SecretStream): boolean {
  if (stream.isInitiator === existing.isInitiator) return true
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
