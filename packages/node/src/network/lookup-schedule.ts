/** The interval of eager lookups, and of calls to `shouldLookUp`. */
export const EAGER_INTERVAL_MS = 2000

/** How long lookups stay eager after a change. A peer's record stays on the DHT at least as long. */
const EAGER_PERIOD_MS = 120_000

/** The interval after that. New peers look this node up themselves, and the DHT is a shared resource. */
const IDLE_INTERVAL_MS = 30_000

/** If a timer of `EAGER_INTERVAL_MS` is later than this, the machine was asleep. */
const SLEEP_MS = 15_000

export interface NetworkState {
  /** In ms, from a clock that keeps running while the machine sleeps. */
  readonly now: number
  /** Whether the network has answered since the last call. */
  readonly isReachable: boolean
  /** Whether no peer is connected. */
  readonly isAlone: boolean
}

/**
 * Decides when to look up peers again. Hyperswarm does it every ten minutes and drops a peer after four
 * failures, so a process that starts offline, or whose peer is away for a minute, would wait that long.
 *
 * While the network does not answer, every call is due: the requests reach no one. Once it answers, lookups
 * are eager for two minutes after a change, and rare after that.
 */
export class LookupSchedule {
  #eagerUntil: number
  #lastLookup: number
  #lastCall: number
  #wasReachable = false
  readonly #missing = new Set<string>()

  constructor(now: number) {
    this.#lastCall = now
    // joining is the first lookup
    this.#lastLookup = now
    this.#eagerUntil = now + EAGER_PERIOD_MS
  }

  /** A peer has disconnected: it is looked up even if other peers are connected. */
  onDisconnected(peer: string, now: number): void {
    this.#missing.add(peer)
    this.#eagerUntil = now + EAGER_PERIOD_MS
    // due at once: the peer may be back already, as a new process
    this.#lastLookup = Number.NEGATIVE_INFINITY
  }

  onConnected(peer: string): void {
    this.#missing.delete(peer)
  }

  /** Whether to look up now. To be called every `EAGER_INTERVAL_MS`. */
  shouldLookUp({ now, isReachable, isAlone }: NetworkState): boolean {
    const hasSlept = now - this.#lastCall > SLEEP_MS
    if (hasSlept || (isReachable && !this.#wasReachable)) this.#eagerUntil = now + EAGER_PERIOD_MS
    this.#lastCall = now
    this.#wasReachable = isReachable
    const isEager = !isReachable || now < this.#eagerUntil
    if (now >= this.#eagerUntil) this.#missing.clear()
    if (!hasSlept && !isAlone && this.#missing.size === 0) return false
    if (!isEager && now - this.#lastLookup < IDLE_INTERVAL_MS) return false
    this.#lastLookup = now
    return true
  }
}
