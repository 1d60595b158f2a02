import type Hypercore from 'hypercore'
import type { Internals } from '../internals.ts'
import { findPeers } from './find-peers.ts'
import { recover, recoverJournal } from './recover.ts'
import { cannotAppend, type StoredLog, type Tail } from './tail.ts'

/** How long the first append waits until peers are found, after a clean shutdown and after an unclean one. */
const CLEAN_TIMEOUT_MS = 500
const UNCLEAN_TIMEOUT_MS = 5000

/**
 * Recovers newer lines from peers, and resolves to the end of the log. A new log has no peers to wait for.
 *
 * @throws NodeError `STORE_REFUSED` if journal and data cores do not fit together, or are shorter than at the last clean shutdown.
 */
export async function resume(log: StoredLog, internals: Internals, signal: AbortSignal): Promise<Tail> {
  const { key, bootstrap, isNew } = log
  if (isNew) return await recover(log, signal)
  const before = await internals.cleanShutdown.journalLength(key)
  const isClean = before === bootstrap.length
  const timeout = isClean ? CLEAN_TIMEOUT_MS : UNCLEAN_TIMEOUT_MS
  if (!isClean) internals.onStatus({ state: 'comparing', timeout })
  await findPeers(bootstrap, internals, { timeout, signal })
  const tail = await recover(log, signal)
  if (before !== null && tail.journal < before)
    throw cannotAppend(`its journal had ${before} blocks at the last shutdown, and now has ${tail.journal}`)
  return tail
}

/** Recovers block 0, if a peer has it. */
export async function recoverManifest(
  bootstrap: Hypercore,
  internals: Internals,
  signal: AbortSignal
): Promise<void> {
  await findPeers(bootstrap, internals, { timeout: UNCLEAN_TIMEOUT_MS, signal })
  await recoverJournal(bootstrap, 0, signal)
}
