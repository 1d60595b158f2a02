import type { Via } from '../../status.ts'
import type { Refusal } from './refusal.ts'

/** One side has refused the other. */
export interface Refused {
  readonly peer: string
  readonly by: 'us' | 'them'
  readonly reason: Refusal
  readonly via: Via
}

/** A refused peer is called again within this time, unless it has gone or is accepted by then. */
const VALID_MS: Readonly<Record<Via, number>> = { local: 10_000, lan: 40_000, dht: 40_000, relay: 40_000 }

/** A host can connect with any number of keys, so the oldest refusals beyond this number are forgotten. */
const MAX_REFUSALS = 64

/** The newest refusal of each peer. */
export class Refusals {
  readonly #byPeer = new Map<string, Refused & { readonly at: number }>()

  add(refused: Refused, now: number): void {
    this.#byPeer.delete(refused.peer)
    this.#byPeer.set(refused.peer, { ...refused, at: now })
    const [oldest] = this.#byPeer.keys()
    if (this.#byPeer.size > MAX_REFUSALS && oldest !== undefined) this.#byPeer.delete(oldest)
  }

  /** The peer has accepted this node. */
  delete(peer: string): void {
    this.#byPeer.delete(peer)
  }

  /** Whether the peer has refused this node within the last `milliseconds`. */
  isRefusing(peer: string, milliseconds: number, now: number): boolean {
    const refused = this.#byPeer.get(peer)
    return refused?.by === 'them' && now - refused.at < milliseconds
  }

  /** The refusals that are likely to still hold. */
  current(now: number): readonly Refused[] {
    return [...this.#byPeer.values()].filter(({ via, at }) => now - at < VALID_MS[via])
  }
}
