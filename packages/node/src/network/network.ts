import type SecretStream from '@hyperswarm/secret-stream'
import type { OnStatus, Status, Via } from '../status.ts'
import type { PeerKeyPair } from './identity.ts'

/** An encrypted, authenticated stream to a peer, as every way of finding peers gives it. */
export interface Connection {
  readonly stream: SecretStream
  readonly via: Via
  /** Whether the log's writer was called: there is always room for it. Default false. */
  readonly isWriter?: boolean
}

/** Who is connected, and who may be: what a network tells the peers of its node, and asks them. */
export interface Gate {
  readonly add: (connection: Connection) => void
  /** Whether a connection to this peer is open by a way that is as good as this one, or better: another is of no use. */
  readonly isReached: (peer: string, via: Via) => boolean
  /** Whether this peer may be connected: who may not need not be called. */
  readonly isAllowed: (peer: string) => boolean
  /** Whether `peer` has refused this one a moment ago, and need not be called again yet. */
  readonly isRefusing: (peer: string) => boolean
  /** Whether nobody else need be called. */
  readonly isFull: () => boolean
}

export interface NetworkOptions extends Gate {
  readonly keyPair: PeerKeyPair
  readonly onStatus: OnStatus
}

/** What a network has found so far, for saying why there is nothing. */
export interface Search {
  /** Peers that were seen and then called, whether they answered or not. */
  readonly found: number
  /** Why there is nothing, in words that go on from a comma. */
  readonly reason: string
}

/** One way of finding the peers of a log. */
export interface Network {
  /**
   * Looks for others with this discovery key, and lets them find us, until `close`; `isWriter` where this process has the log
   * to itself. Resolves when others could find us here. Never rejects: what goes wrong is reported.
   */
  join(discoveryKey: Uint8Array, isWriter: boolean): Promise<void>
  /** A peer that was connected is not any more, by any way: it may be worth a look. */
  lose(peer: string): void
  search(): Search
  /** Whether the first look for this log, which `join` begins, is still under way: a peer may turn up at any moment. */
  isLooking(discoveryKey: Uint8Array): boolean
  /** Ends everything that `join` began. Bounded; call it as often as you like. */
  close(): Promise<void>
}

/** That a way of finding peers cannot be used, and why, or can be again. */
export function usability(via: Via, fault: string | null): Status {
  return fault === null ? { state: 'reachable', via } : { state: 'unreachable', via, reason: fault }
}

/** Peers that were found and did not answer, in words. */
export function announced(found: number): string {
  return found === 1 ? 'a peer announces it' : `${found} peers announce it`
}
