/** How often a node that is eager to find somebody looks. */
export const EAGER_MS = 2000

/** How long it stays eager after something has changed. A peer's record lives that long on the DHT and longer. */
const EAGER_FOR_MS = 120_000

/** And then: whoever comes looks for us, too, and the DHT is everybody's. */
const PATIENT_MS = 30_000

/** The most that a timer of `EAGER_MS` can be late on a busy machine; more, and the machine has slept. */
const SLEPT_MS = 15_000

/** What a node sees when it wonders whether to look for peers. */
export interface Sight {
  /** In ms, of a clock that goes on while the machine sleeps. */
  readonly now: number
  /** Whether the network answered since the last time. */
  readonly isReachable: boolean
  /** Whether anybody is connected. */
  readonly isAlone: boolean
}

/**
 * Decides when to look for peers again. Hyperswarm itself looks every ten minutes, and gives a peer up that failed four
 * times; so a process that started without its network, or whose peer was away for a minute, would wait that long.
 *
 * A network that does not answer is asked on and on: nobody but us is bothered. One that answers is asked eagerly for two
 * minutes after something has changed, and then now and then.
 */
export class Lookout {
  #eagerUntil: number
  #lookedAt: number
  #seenAt: number
  #wasReachable = false
  readonly #missing = new Set<string>()

  constructor(now: number) {
    this.#seenAt = now
    // joining is the first look
    this.#lookedAt = now
    this.#eagerUntil = now + EAGER_FOR_MS
  }

  /** A peer has gone: it is looked for although others may be there. */
  miss(peer: string, now: number): void {
    this.#missing.add(peer)
    this.#eagerUntil = now + EAGER_FOR_MS
    // at once: it may have been restarted, and its new process be there already
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  /** A peer has come. */
  meet(peer: string): void {
    this.#missing.delete(peer)
  }

  /** Whether to look now. Asked every `EAGER_MS`. */
  shouldLook({ now, isReachable, isAlone }: Sight): boolean {
    const hasSlept = now - this.#seenAt > SLEPT_MS
    if (hasSlept || (isReachable && !this.#wasReachable)) this.#eagerUntil = now + EAGER_FOR_MS
    this.#seenAt = now
    this.#wasReachable = isReachable
    const isEager = !isReachable || now < this.#eagerUntil
    if (now >= this.#eagerUntil) this.#missing.clear()
    if (!hasSlept && !isAlone && this.#missing.size === 0) return false
    if (!isEager && now - this.#lookedAt < PATIENT_MS) return false
    this.#lookedAt = now
    return true
  }
}
