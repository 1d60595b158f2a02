import { setTimeout } from 'node:timers/promises'
import b4a from 'b4a'
import type Hypercore from 'hypercore'

/** Hypercore 11.37 has no event for all that a peer says of what it holds: only for the first that holds more than anybody. */
const LOOK_MS = 100

export interface AcknowledgementOptions {
  /** How many peers are waited for. */
  readonly peers: number
  readonly signal: AbortSignal
  /** Whether what the peer with this public key, in hex, says counts. */
  readonly isCounted: (peer: string) => boolean
  /** Called at once with what is known, and then with every change. */
  readonly onHolding: (holding: number) => void
}

/**
 * Waits until so many peers have said that they hold all blocks which `cores` have now; resolves to their public keys. What
 * a peer has said stays said: it may be gone when the last one comes.
 *
 * Rejects when `signal` aborts.
 */
export async function untilHeld(
  cores: readonly Hypercore[],
  { peers, signal, isCounted, onHolding }: AcknowledgementOptions
): Promise<readonly string[]> {
  const wanted = cores.map((core) => ({ core, length: core.length }))
  const held = new Map<string, Set<Hypercore>>()
  let said: number | null = null
  while (true) {
    signal.throwIfAborted()
    for (const { core, length } of wanted) {
      for (const { remotePublicKey, remoteFork, remoteContiguousLength } of core.peers) {
        if (remoteFork !== core.fork || remoteContiguousLength < length) continue
        const peer = b4a.toString(remotePublicKey, 'hex')
        if (isCounted(peer)) held.set(peer, (held.get(peer) ?? new Set()).add(core))
      }
    }
    const holders = [...held].filter(([, has]) => has.size === wanted.length).map(([peer]) => peer)
    if (said !== holders.length) onHolding(holders.length)
    said = holders.length
    if (holders.length >= peers) return holders
    await setTimeout(LOOK_MS, undefined, { signal })
  }
}
