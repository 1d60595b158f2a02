import type Hypercore from 'hypercore'
import type { Internals } from '../internals.ts'
import { waitUntil } from '../waiting.ts'

/** A connected peer announces the lengths of its cores within this time. */
const LENGTHS_TIMEOUT_MS = 1000

export interface FindPeersOptions {
  /** How long the search may take, in ms. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** Finds peers of the log: waits until every network was searched once and the connected peers have announced their lengths. */
export async function findPeers(
  bootstrap: Hypercore,
  { join, waitForSearch, peers }: Internals,
  { timeout, signal }: FindPeersOptions
): Promise<void> {
  await join(bootstrap)
  await waitForSearch(bootstrap, timeout, signal)
  // a peer that does not share this log never answers
  const hasAnswered = (): boolean =>
    bootstrap.peers.filter((peer) => peer.remoteSynced).length >= peers.count()
  await waitUntil(hasAnswered, Math.min(LENGTHS_TIMEOUT_MS, timeout), signal)
}
