import { NodeError } from '../errors.ts'
import type { Internals } from '../internals.ts'
import { waitUntil } from '../waiting.ts'
import type { AdoptOptions } from './adopt-options.ts'
import { findPeers } from './find-peers.ts'
import { recover } from './recover.ts'
import { type StoredLog, storedPosition } from './tail.ts'

const DEFAULT_TIMEOUT_MS = 30_000

/** After the first peer, others may answer that have more. */
const SEARCH_MS = 5000

/**
 * Makes a copied store the one that continues its log, once it has every line that peers have.
 *
 * @throws NodeError `NOT_FOUND` if no peer has the log; as `recover`.
 */
export async function adopt(
  log: StoredLog,
  internals: Internals,
  {
    isSoleCopy = false,
    timeout = DEFAULT_TIMEOUT_MS,
    signal
  }: AdoptOptions & { readonly signal: AbortSignal }
): Promise<void> {
  if (!(await internals.copyMark.exists())) return
  const { bootstrap } = log
  const hasPeer = (): boolean => bootstrap.peers.some((peer) => peer.remoteLength > 0)
  if (!isSoleCopy) await waitUntil(hasPeer, timeout || Number.POSITIVE_INFINITY, signal)
  await findPeers(bootstrap, internals, { timeout: SEARCH_MS, signal })
  if (!isSoleCopy && !hasPeer())
    throw new NodeError(
      'NOT_FOUND',
      `no peer with this log was found, so it is unknown whether it has newer lines (after ${timeout / 1000} s): ${internals.explainNoPeers()}. Start a reader that has every line, or use --sole-copy if no other copy of the log exists`
    )
  const before = await storedPosition(log)
  const { position } = await recover(log, signal)
  if (position > before) internals.onStatus({ state: 'recovered', lines: position - before })
  await internals.copyMark.remove()
}
