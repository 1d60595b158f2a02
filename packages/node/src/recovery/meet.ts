import type Hypercore from 'hypercore'
import type { Internals } from '../internals.ts'
import { comesTrue } from '../waiting.ts'

/** Connected peers say within this time how long their cores are. */
const ANSWER_MS = 1000

export interface MeetOptions {
  /** How long to wait for peers where there are none, in ms. */
  readonly patience: number
  readonly signal: AbortSignal
}

/** Looks for peers of the log until all networks were asked once, and hears how long their journals are. */
export async function meetPeers(
  bootstrap: Hypercore,
  { join, looked, peers }: Internals,
  { patience, signal }: MeetOptions
): Promise<void> {
  await join(bootstrap)
  await looked(bootstrap, patience, signal)
  // not all of them share this log
  const hasAnswered = (): boolean =>
    bootstrap.peers.filter((peer) => peer.remoteSynced).length >= peers.count()
  await comesTrue(hasAnswered, Math.min(ANSWER_MS, patience), signal)
}
