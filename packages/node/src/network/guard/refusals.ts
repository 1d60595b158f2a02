import type { Via } from '../../status.ts'
import type { Refusal } from './refusal.ts'

/** One side did not let the other in. */
export interface Refused {
  readonly peer: string
  readonly by: 'us' | 'them'
  readonly reason: Refusal
  readonly via: Via
}

/** A peer that is refused is met again within so long, unless it has gone or is let in by now. */
const TRUE_FOR_MS: Readonly<Record<Via, number>> = { local: 10_000, lan: 40_000, dht: 40_000, relay: 40_000 }

/** Anybody can come under any number of keys: of more, the oldest are forgotten. */
const MAX_REFUSALS = 64

/** Who was refused of late, by whom and why: the newest of each peer. */
export class Refusals {
  readonly #byPeer = new Map<string, Refused & { readonly at: number }>()

  add(refused: Refused, now: number): void {
    this.#byPeer.delete(refused.peer)
    this.#byPeer.set(refused.peer, { ...refused, at: now })
    const [oldest] = this.#byPeer.keys()
    if (this.#byPeer.size > MAX_REFUSALS && oldest !== undefined) this.#byPeer.delete(oldest)
  }

  /** The peer has let us in. */
  delete(peer: string): void {
    this.#byPeer.delete(peer)
  }

  /** Whether this peer has refused us in the last so many ms. */
  isRefusing(peer: string, milliseconds: number, now: number): boolean {
    const refused = this.#byPeer.get(peer)
    return refused?.by === 'them' && now - refused.at < milliseconds
  }

  /** What is likely to be so still. */
  current(now: number): readonly Refused[] {
    return [...this.#byPeer.values()].filter(({ via, at }) => now - at < TRUE_FOR_MS[via])
  }
}
