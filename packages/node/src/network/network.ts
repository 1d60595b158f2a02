import type { OnStatus, Status, Via } from '../status.ts'
import type { PeerKeyPair } from './identity.ts'
import type { Peers } from './peers.ts'

/** Forged announcements can name any number of peers, so a network counts at most this many. */
export const MAX_FOUND = 1024

export interface NetworkOptions
  extends Pick<Peers, 'add' | 'isReached' | 'isAllowed' | 'isRefusing' | 'isFull'> {
  readonly keyPair: PeerKeyPair
  readonly onStatus: OnStatus
}

export interface SearchResult {
  /** The number of peers that were found and called, including those that did not answer. */
  readonly found: number
  /** Why no peer is connected, as a clause for a message. */
  readonly reason: string
}

/** One way of finding the peers of a log. */
export interface Network {
  /**
   * Announces this node and connects it to the log's peers until `close`; `isWriter` if this process writes
   * the log. Resolves when peers can find this node. Never rejects: faults are reported to `onStatus`.
   */
  join(discoveryKey: Uint8Array, isWriter: boolean): Promise<void>
  /** The last connection to a peer has closed, over any network: it may be worth a lookup. */
  onDisconnected(peer: string): void
  searchResult(): SearchResult
  /** Whether the first search for this log, which `join` starts, is running: a peer may still connect. */
  isSearching(discoveryKey: Uint8Array): boolean
  /** Ends everything that `join` started, in bounded time. To be called once. */
  close(): Promise<void>
}

/** The status of a way of finding peers, which does not work if there is a `fault`. */
export function reachability(via: Via, fault: string | null): Status {
  return fault === null ? { state: 'reachable', via } : { state: 'unreachable', via, reason: fault }
}

/** The result of a search that found peers, none of which answered. */
export function unanswered(found: number, where: string, why: string | null): SearchResult {
  const peers = found === 1 ? 'a peer announces it' : `${found} peers announce it`
  return { found, reason: `${peers} on ${where} but did not answer${why === null ? '' : `: ${why}`}` }
}
