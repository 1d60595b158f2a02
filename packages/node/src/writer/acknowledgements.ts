import { setTimeout } from 'node:timers/promises'
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import type { Peer } from 'hypercore'

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
  const held = new Map<string, Set<Hypercore>>()
  const looks = cores.map((core) => {
    const { length } = core
    const hear = (peer: Peer): void => {
      if (peer.remoteFork !== core.fork || peer.remoteContiguousLength < length) return
      const id = b4a.toString(peer.remotePublicKey, 'hex')
      if (isCounted(id)) held.set(id, (held.get(id) ?? new Set()).add(core))
    }
    // one that takes the last block and leaves is gone at the next look
    core.on('peer-remove', hear)
    return { look: () => core.peers.forEach(hear), stop: () => core.off('peer-remove', hear) }
  })
  let said: number | null = null
  try {
    while (true) {
      signal.throwIfAborted()
      for (const { look } of looks) look()
      const holders = [...held].filter(([, has]) => has.size === cores.length).map(([peer]) => peer)
      if (said !== holders.length) onHolding(holders.length)
      said = holders.length
      if (holders.length >= peers) return holders
      await setTimeout(LOOK_MS, undefined, { signal })
    }
  } finally {
    for (const { stop } of looks) stop()
  }
}
