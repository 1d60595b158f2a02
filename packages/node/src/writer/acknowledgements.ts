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
 * Throws the reason of `signal`.
 */
export async function untilHeld(
  cores: readonly Hypercore[],
  { peers, signal, isCounted, onHolding }: AcknowledgementOptions
): Promise<readonly string[]> {
  const claims = new Claims(cores, isCounted)
  let said: number | null = null
  while (true) {
    signal.throwIfAborted()
    const holders = claims.look()
    if (said !== holders.length) onHolding(holders.length)
    said = holders.length
    if (holders.length >= peers) return holders
    await elapse(LOOK_MS, signal)
  }
}

/** What peers have said of blocks that exist already. */
class Claims {
  readonly #wanted: ReadonlyArray<{ readonly core: Hypercore; readonly length: number }>
  readonly #held = new Map<string, Set<Hypercore>>()
  readonly #isCounted: (peer: string) => boolean

  constructor(cores: readonly Hypercore[], isCounted: (peer: string) => boolean) {
    this.#isCounted = isCounted
    this.#wanted = cores.map((core) => ({ core, length: core.length }))
  }

  /** The public keys of those who hold everything. */
  look(): string[] {
    for (const { core, length } of this.#wanted) {
      for (const { remotePublicKey, remoteFork, remoteContiguousLength } of core.peers) {
        if (remoteFork !== core.fork || remoteContiguousLength < length) continue
        const peer = b4a.toString(remotePublicKey, 'hex')
        if (!this.#isCounted(peer)) continue
        const held = this.#held.get(peer) ?? new Set()
        this.#held.set(peer, held.add(core))
      }
    }
    return [...this.#held].filter(([, held]) => held.size === this.#wanted.length).map(([peer]) => peer)
  }
}

/** Resolves after so long, or when `signal` aborts. */
function elapse(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end, { once: true })
  })
}
