import type { CoreKey } from '@many-cores/protocol'
import type { Internals } from '../internals.ts'
import { heal } from './compare.ts'
import { meetPeers } from './meet.ts'
import { findTail, type StoredLog, type Tail, unfit } from './tail.ts'

/** How long the first append waits for peers where there are none, after a clean end and after another. */
const CLEAN_PATIENCE_MS = 500
export const PATIENCE_MS = 5000

interface ResumedLog extends StoredLog {
  readonly key: CoreKey
  readonly isNew: boolean
}

/**
 * Where the log goes on, once its peers were asked whether they have more of it; at once for a new log.
 *
 * @throws NodeError `STORE_REFUSED` where journal and cores do not fit together, or less is here than at the last clean end.
 */
export async function resume(log: ResumedLog, internals: Internals, signal: AbortSignal): Promise<Tail> {
  const { key, bootstrap, isNew } = log
  if (isNew) return await healedTail(log, signal)
  const had = await internals.cleanShutdown.journalLength(key)
  const isClean = had === bootstrap.length
  const patience = isClean ? CLEAN_PATIENCE_MS : PATIENCE_MS
  if (!isClean) internals.onStatus({ state: 'comparing', patience })
  await meetPeers(bootstrap, internals, { patience, signal })
  const tail = await healedTail(log, signal)
  if (had !== null && tail.journal < had)
    throw unfit(`its journal had ${had} blocks when it was closed, and has ${tail.journal} now`)
  return tail
}

/** Where the log goes on, once what connected peers have more of it is here. */
export async function healedTail(log: StoredLog, signal: AbortSignal): Promise<Tail> {
  await heal(log, signal)
  return await findTail(log)
}
