import type SecretStream from '@hyperswarm/secret-stream'
import b4a from 'b4a'
import Protomux from 'protomux'
import type { Via } from '../../status.ts'

/** Why a peer is refused. */
export type Refusal = 'not-allowed' | 'full'

/** One side has refused the other. */
export interface Refused {
  readonly peer: string
  readonly by: 'us' | 'them'
  readonly reason: Refusal
  readonly via: Via
}

/** The id of this channel is the reason. A peer that does not know the protocol sees the connection end. */
const PROTOCOL = 'many-cores/refusal'

/** If sending the reason takes longer than this, the connection is cut. */
const GOODBYE_MS = 1000

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

/** Sends the reason to the peer and ends the connection. */
export function refuse(stream: SecretStream, reason: Refusal): void {
  const timer = setTimeout(() => stream.destroy(), GOODBYE_MS).unref()
  stream.once('close', () => clearTimeout(timer))
  Protomux.from(stream)
    .createChannel({ protocol: PROTOCOL, id: b4a.from(reason) })
    ?.open()
  stream.end()
}

/** Calls `listener` if the peer refuses this node. */
export function onRefusal(stream: SecretStream, listener: (reason: Refusal) => void): void {
  Protomux.from(stream).pair({ protocol: PROTOCOL }, (id) => {
    const reason = id === null ? '' : b4a.toString(id)
    if (reason === 'not-allowed' || reason === 'full') listener(reason)
  })
}
