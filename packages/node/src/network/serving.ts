import type SecretStream from '@hyperswarm/secret-stream'
import Protomux, { type Channel, type ChannelOptions } from 'protomux'

/**
 * One is read while the other is sent. Each is a block of up to 1 MiB, or 15 where one line is longer, and all of them may end
 * in one write: with 16, a writer held 640 MB for 64 readers, with two 300, and none of them was served later.
 */
const MAX_ANSWERS = 2

/** What one write gathers: Protomux itself goes to 8 MiB, which 64 slow readers make gigabytes of. */
const MAX_GATHERED_BYTES = 256 * 1024

/** Hypercore 11 itself has at most 512 requests under way. */
const MAX_REQUESTS = 4096

/** What Hypercore's channels are for, … */
const HYPERCORE = 'hypercore/alpha'

/** … which of their messages asks for something, … */
const REQUEST = 1

/** … and what they have as `userData`. */
interface ServedPeer {
  /** Requests that wait, those included that were cancelled meanwhile. */
  readonly receiverQueue: {
    readonly length: number
    readonly queue: { readonly length: number }
    readonly priority: { readonly length: number }
  }
}

/**
 * Hypercore 11.37 answers all requests at once that come while the stream takes more, and lets any number wait when it does
 * not: a peer that asks 20,000 times for a block of 1 MiB, in 300 kB, and reads no answer, cost gigabytes. Here, a stream takes
 * no more, as Hypercore sees it, while a few answers are under way, and a peer that asks for thousands in advance is left.
 */
class ServingMux extends Protomux {
  declare private isStreamDrained: boolean
  #answers = 0
  readonly #waiting = new Set<Channel>()

  override get drained(): boolean {
    return this.isStreamDrained && this.#answers < MAX_ANSWERS && !this.#hasGathered
  }

  // called by the constructor, too, before there are fields
  override set drained(value: boolean) {
    this.isStreamDrained = value
  }

  /** Enough for a write: whatever waits goes on once the stream has taken it. */
  get #hasGathered(): boolean {
    return this._batch !== null && (this._batchState?.end ?? 0) > MAX_GATHERED_BYTES
  }

  override createChannel(options: ChannelOptions): Channel | null {
    const { protocol, messages = [] } = options
    if (protocol !== HYPERCORE) return super.createChannel(options)
    const bounded = messages.map((message, type) =>
      type === REQUEST ? { ...message, onmessage: this.#bound(message.onmessage) } : message
    )
    return super.createChannel({ ...options, messages: bounded })
  }

  #bound(answer: ((message: unknown, channel: Channel) => unknown) | undefined) {
    return async (message: unknown, channel: Channel): Promise<void> => {
      const { queue, priority } = (channel.userData as ServedPeer).receiverQueue
      if (queue.length + priority.length >= MAX_REQUESTS) {
        this.destroy(new Error('it asks for too much at once'))
        return
      }
      // it is put in a queue, which is gone on with below
      if (this.#answers >= MAX_ANSWERS) this.#waiting.add(channel)
      const answered = answer?.(message, channel)
      this.#answers++
      try {
        await answered
      } finally {
        this.#answers--
        this.#goOn()
      }
    }
  }

  #goOn(): void {
    if (!this.drained) return
    for (const channel of this.#waiting) {
      if ((channel.userData as ServedPeer).receiverQueue.length === 0) this.#waiting.delete(channel)
      else channel.ondrain(channel)
    }
  }
}

/** From now on, what is asked for over `stream` is answered at a bounded cost. To be called before it is replicated. */
export function boundServing(stream: SecretStream): void {
  // it makes itself known as the stream's own, as Protomux.from would
  new ServingMux(stream)
}
