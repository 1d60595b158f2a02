import type SecretStream from '@hyperswarm/secret-stream'
import type { Peer } from 'hypercore'
import Protomux, { type Channel, type ChannelOptions, type SentMessage } from 'protomux'
import { ignore } from '../../errors.ts'
import type { Damage } from '../../integrity/damage.ts'
import type { Heads } from '../../integrity/heads.ts'
import type { WalSync } from '../../store/wal-sync.ts'

/**
 * One is read while the other is sent. Each is a block of up to 1 MiB, or one line of up to 15 MiB, and all
 * may be in one write. With 16, a writer used 640 MB for 64 readers; with two, 300 MB, and no reader waited
 * longer.
 */
const MAX_ANSWERS = 2

/** Protomux's own limit on a batch of messages is 8 MiB, which takes gigabytes with 64 slow readers. */
const MAX_BATCH_BYTES = 256 * 1024

/** Hypercore 11 sends at most 512 requests before it waits for answers. */
const MAX_REQUESTS = 4096

/**
 * Hypercore uses memory for each block that a peer claims to have, up to the last one, whether it exists or not. Claims further than this
 * beyond the known end of a core are ignored; claims up to it take 4 MiB.
 */
const MAX_AHEAD = 2 ** 24

/** The protocol of Hypercore's channels. */
export const HYPERCORE = 'hypercore/alpha'

/** Types of its messages: the sender's length, a request, and stored blocks as a bitfield and as a range. */
const SYNC = 0
const REQUEST = 1
const ANNOUNCEMENTS: readonly number[] = [7, 8]

/**
 * Hypercore 11.37 answers all requests at once while the stream is drained, and queues any number while it is
 * not: a peer that requests a block of 1 MiB 20,000 times, in 300 kB, and reads no answer costs gigabytes.
 * With this multiplexer, a stream does not count as drained while a few answers are in progress, and a peer
 * that queues thousands of requests is disconnected. Blocks are announced only once they are synced.
 */
export class LimitedMux extends Protomux {
  declare private isStreamDrained: boolean
  readonly #options: ServingOptions
  /** Resolves when the last of the announcements that wait for the disk was sent; null if there are none. */
  #announcing: Promise<void> | null = null
  #answers = 0
  readonly #waiting = new Set<Channel>()

  /** To be made before `stream` is replicated: it becomes what `Protomux.from(stream)` returns. */
  constructor(stream: SecretStream, options: ServingOptions) {
    super(stream)
    this.#options = options
  }

  /** Resolves once the announcements that wait for the disk now have been sent, or have failed. */
  async announced(): Promise<void> {
    await this.#announcing?.catch(ignore)
  }

  override get drained(): boolean {
    return this.isStreamDrained && this.#answers < MAX_ANSWERS && !this.#isBatchFull
  }

  // the constructor of Protomux calls this before the fields exist
  override set drained(value: boolean) {
    this.isStreamDrained = value
  }

  get #isBatchFull(): boolean {
    return this._batch !== null && (this._batchState?.end ?? 0) > MAX_BATCH_BYTES
  }

  // Protomux 3.12 checks only the size of the batch so far. With a block of 15 MiB after one of 1 MiB, the
  // batch is longer than the 16 MiB that a SecretStream takes in one write, which ends this connection, and
  // the next one in the same way.
  protected override _pushBatch(localId: number, message: Uint8Array): void {
    const { _batch: batch, _batchState: state } = this
    if (batch !== null && state !== null && state.end + message.byteLength > MAX_BATCH_BYTES) {
      this._sendBatch(batch, state)
      this._batch = []
      this._batchState = { buffer: null, start: 0, end: 1 }
    }
    super._pushBatch(localId, message)
  }

  override createChannel(options: ChannelOptions): Channel | null {
    const { protocol, messages = [] } = options
    if (protocol !== HYPERCORE) return super.createChannel(options)
    const wrapped = messages.map((message, type) => {
      if (type === REQUEST) return { ...message, onmessage: this.#limited(message.onmessage) }
      if (ANNOUNCEMENTS.includes(type)) return { ...message, onmessage: plausible(message.onmessage) }
      return type === SYNC ? { ...message, onmessage: this.#withHeads(message.onmessage) } : message
    })
    const channel = super.createChannel({ ...options, messages: wrapped })
    for (const type of ANNOUNCEMENTS) this.#delayUntilSynced(channel?.messages[type])
    return channel
  }

  /** Blocks are announced once they are on the disk: a peer may rely on that. A reader prints them before. */
  #delayUntilSynced(message: SentMessage | undefined): void {
    if (message === undefined) return
    const send = message.send.bind(message)
    message.send = (announcement, channel) => {
      const { wal } = this.#options
      if (this.#announcing === null && !wal.isPending) return send(announcement, channel)
      const announcing = Promise.all([wal.sync(), this.#announcing]).then(() => {
        send(announcement, channel)
        if (this.#announcing === announcing) this.#announcing = null
      })
      // blocks that are not on the disk are not announced; the store reports why
      announcing.catch(ignore)
      this.#announcing = announcing
      return true
    }
  }

  #withHeads(onmessage: OnMessage | undefined): OnMessage {
    return async (message, channel) => {
      await onmessage?.(message, channel)
      this.#options.heads.onRemoteLength(channel.userData as Peer)
    }
  }

  #limited(onmessage: OnMessage | undefined): OnMessage {
    return async (message, channel) => {
      const peer = channel.userData as Peer
      const { queue, priority } = peer.receiverQueue
      if (queue.length + priority.length >= MAX_REQUESTS) {
        this.destroy(new Error(`the peer sent more than ${MAX_REQUESTS} requests at once`))
        return
      }
      this.#options.damage.keepConnected(peer)
      const answered = onmessage?.(message, channel)
      // Hypercore has queued the request. Protomux resumes the queue when the stream drains, unless answers are still in progress then
      if (peer.receiverQueue.length > 0) this.#waiting.add(channel)
      this.#answers++
      try {
        await answered
      } finally {
        this.#answers--
        this.#resume()
      }
    }
  }

  #resume(): void {
    if (!this.drained) return
    for (const channel of this.#waiting) {
      if ((channel.userData as Peer).receiverQueue.length === 0) this.#waiting.delete(channel)
      else channel.ondrain(channel)
    }
  }
}

type OnMessage = (message: unknown, channel: Channel) => unknown

/** The blocks that the peer has. */
interface Announcement {
  readonly start: number
  readonly drop?: boolean
  readonly length?: number
  readonly bitfield?: Uint32Array
}

/** Hypercore 11.37 loops over each 32,768 blocks of a range, up to 2^53. A range from the start costs nothing: it is one number. */
function plausible(onmessage: OnMessage | undefined): OnMessage {
  return (message, channel) => {
    const { start, drop, bitfield, length = 8 * (bitfield?.byteLength ?? 0) } = message as Announcement
    const most = (channel.userData as Peer).core.state.length + MAX_AHEAD
    if (start + length > most && (start > 0 || drop !== false)) return undefined
    return onmessage?.(message, channel)
  }
}

export interface ServingOptions {
  /** Whether writes are on the disk. */
  readonly wal: WalSync
  /** Gets the lengths of the peer's cores. */
  readonly heads: Heads
  /** Watches for blocks that cannot be read. */
  readonly damage: Damage
}
