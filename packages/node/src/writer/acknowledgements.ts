import { setTimeout } from 'node:timers/promises'
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import type { Peer } from 'hypercore'

/** Hypercore 11.37 emits an event only for the first peer that has more than all others. */
const POLL_MS = 100

export interface AcknowledgementOptions {
  /** How many peers to wait for. */
  readonly peers: number
  readonly signal: AbortSignal
  /** Whether the peer with this public key, in hex, counts. */
  readonly isCounted: (peer: string) => boolean
  /** Called with the number of peers that hold everything, at once and when it changes. */
  readonly onHolding: (holding: number) => void
}

/**
 * Waits until this many peers have announced that they hold all blocks that `cores` have now. Resolves to their public keys. A peer
 * that has announced it counts even if it leaves before the others have.
 */
export async function untilHeld(
  cores: readonly Hypercore[],
  { peers, signal, isCounted, onHolding }: AcknowledgementOptions
): Promise<readonly string[]> {
  const held = new Map<string, Set<Hypercore>>()
  const checks = cores.map((core) => {
    const { length } = core
    const check = (peer: Peer): void => {
      if (peer.remoteFork !== core.fork || peer.remoteContiguousLength < length) return
      const id = b4a.toString(peer.remotePublicKey, 'hex')
      if (isCounted(id)) held.set(id, (held.get(id) ?? new Set()).add(core))
    }
    // a peer that leaves right after the last block is gone at the next poll
    core.on('peer-remove', check)
    return { checkAll: () => core.peers.forEach(check), stop: () => core.off('peer-remove', check) }
  })
  let reported: number | null = null
  try {
    while (true) {
      signal.throwIfAborted()
      for (const { checkAll } of checks) checkAll()
      const holders = [...held].filter(([, has]) => has.size === cores.length).map(([peer]) => peer)
      if (reported !== holders.length) onHolding(holders.length)
      reported = holders.length
      if (holders.length >= peers) return holders
      await setTimeout(POLL_MS, undefined, { signal })
    }
  } finally {
    for (const { stop } of checks) stop()
  }
}
