import type SecretStream from '@hyperswarm/secret-stream'
import type { Peer } from 'hypercore'
import Protomux, { type Channel, type ChannelOptions, type SentMessage } from 'protomux'
import type { Damage } from '../damage.ts'
import type { Heads } from '../heads.ts'
import type { WalSync } from '../wal-sync.ts'

/**
 * One is read while the other is sent. Each is a block of up to 1 MiB, or 15 where one line is longer, and all of them may end
 * in one write: with 16, a writer held 640 MB for 64 readers, with two 300, and none of them was served later.
 */
const MAX_ANSWERS = 2

/** What one write gathers: Protomux itself goes to 8 MiB, which 64 slow readers make gigabytes of. */
const MAX_GATHERED_BYTES = 256 * 1024

/** Hypercore 11 itself has at most 512 requests under way. */
const MAX_REQUESTS = 4096

/**
 * What a peer says of blocks takes memory up to the last one, whether it exists or not: so many more are heard of than a core is known
 * to have. They take 4 MiB.
 */
const MAX_AHEAD = 2 ** 24

/** What Hypercore's channels are for, … */
const HYPERCORE = 'hypercore/alpha'

/** … which of their messages says how long the sender's core is, … */
const SYNC = 0

/** … which asks for something, … */
const REQUEST = 1

/** … and which say what is stored, as bits or as a range. */
const ANNOUNCEMENTS: readonly number[] = [7, 8]

/**
 * Hypercore 11.37 answers all requests at once that come while the stream takes more, and lets any number wait when it does
 * not: a peer that asks 20,000 times for a block of 1 MiB, in 300 kB, and reads no answer, cost gigabytes. Here, a stream takes
 * no more, as Hypercore sees it, while a few answers are under way, and a peer that asks for thousands in advance is left.
 */
class ServingMux extends Protomux {
  declare private isStreamDrained: boolean
  readonly #wal: WalSync
  readonly #heads: Heads
  readonly #damage: Damage
  /** Announcements that wait for the disk, each behind the one before it; null while there are none. */
  #announcing: Promise<void> | null = null
  #answers = 0
  readonly #waiting = new Set<Channel>()

  constructor(stream: SecretStream, { wal, heads, damage }: ServingOptions) {
    super(stream)
    this.#wal = wal
    this.#heads = heads
    this.#damage = damage
  }

  /** Resolves once what waits for the disk now is announced, or cannot be. */
  async announced(): Promise<void> {
    await this.#announcing?.catch(ignore)
  }

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

  // Protomux 3.12 looks only at what it has gathered before: with a block of 15 MiB behind one of 1 MiB, a write is longer than the
  // 16 MiB that a SecretStream takes, which ends the connection, and the next one, too
  protected override _pushBatch(localId: number, message: Uint8Array): void {
    const { _batch: batch, _batchState: state } = this
    if (batch !== null && state !== null && state.end + message.byteLength > MAX_GATHERED_BYTES) {
      this._sendBatch(batch, state)
      this._batch = []
      this._batchState = { buffer: null, start: 0, end: 1 }
    }
    super._pushBatch(localId, message)
  }

  override createChannel(options: ChannelOptions): Channel | null {
    const { protocol, messages = [] } = options
    if (protocol !== HYPERCORE) return super.createChannel(options)
    const watched = messages.map((message, type) => {
      if (type === REQUEST) return { ...message, onmessage: this.#bound(message.onmessage) }
      if (ANNOUNCEMENTS.includes(type)) return { ...message, onmessage: believable(message.onmessage) }
      return type === SYNC ? { ...message, onmessage: this.#hear(message.onmessage) } : message
    })
    const channel = super.createChannel({ ...options, messages: watched })
    for (const type of ANNOUNCEMENTS) this.#delay(channel?.messages[type])
    return channel
  }

  /** What is stored is announced once it is on the disk: a peer may rely on it. A reader does not wait for that to print it. */
  #delay(message: SentMessage | undefined): void {
    if (message === undefined) return
    const send = message.send.bind(message)
    message.send = (announcement, channel) => {
      if (this.#announcing === null && !this.#wal.isPending) return send(announcement, channel)
      const announcing = Promise.all([this.#wal.sync(), this.#announcing]).then(() => {
        send(announcement, channel)
        if (this.#announcing === announcing) this.#announcing = null
      })
      // what is not on the disk is not announced; the store's owner hears of the reason
      announcing.catch(ignore)
      this.#announcing = announcing
      return true
    }
  }

  #hear(take: OnMessage | undefined): OnMessage {
    return async (message, channel) => {
      await take?.(message, channel)
      this.#heads.hear(channel.userData as Peer)
    }
  }

  #bound(answer: OnMessage | undefined): OnMessage {
    return async (message, channel) => {
      const peer = channel.userData as Peer
      const { queue, priority } = peer.receiverQueue
      if (queue.length + priority.length >= MAX_REQUESTS) {
        this.destroy(new Error('it asks for too much at once'))
        return
      }
      this.#damage.guard(peer)
      const answered = answer?.(message, channel)
      // also where the stream takes no more now: when it does, answers may be under way, and nothing else would go on with it
      if (peer.receiverQueue.length > 0) this.#waiting.add(channel)
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
      if ((channel.userData as Peer).receiverQueue.length === 0) this.#waiting.delete(channel)
      else channel.ondrain(channel)
    }
  }
}

type OnMessage = (message: unknown, channel: Channel) => unknown

/** What is stored at the other end. */
interface Announcement {
  readonly start: number
  readonly drop?: boolean
  readonly length?: number
  readonly bitfield?: Uint32Array
}

/** Hypercore 11.37 loops over each 32,768 blocks of a range, up to 2^53, and keeps a page for them. One from the start is a number. */
function believable(take: OnMessage | undefined): OnMessage {
  return (message, channel) => {
    const { start, drop, bitfield, length = 8 * (bitfield?.byteLength ?? 0) } = message as Announcement
    const most = (channel.userData as Peer).core.state.length + MAX_AHEAD
    if (start + length > most && (start > 0 || drop !== false)) return undefined
    return take?.(message, channel)
  }
}

export interface ServingOptions {
  /** Tells when what was written is on the disk. */
  readonly wal: WalSync
  /** Hears how long the cores of the other end are. */
  readonly heads: Heads
  /** Hears of blocks that cannot be read. */
  readonly damage: Damage
}

/**
 * From now on, what is asked for over `stream` is answered at a bounded cost, what is stored is announced once `wal` has it on the
 * disk, and heads are compared. To be called before it is replicated. What it returns tells when all that is stored is announced.
 */
export function boundServing(stream: SecretStream, options: ServingOptions): () => Promise<void> {
  // it makes itself known as the stream's own, as Protomux.from would
  const mux = new ServingMux(stream, options)
  return () => mux.announced()
}

function ignore(): void {}
