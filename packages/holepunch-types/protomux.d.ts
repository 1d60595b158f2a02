declare module 'protomux' {
  import type SecretStream from '@hyperswarm/secret-stream'

  interface Channel {
    readonly protocol: string
    /** Set by the code that made the channel. */
    readonly userData: unknown
    /** Whether both sides have opened it, and its `onopen` has not failed. */
    readonly opened: boolean
    /** Called when the stream has drained. */
    readonly ondrain: (channel: Channel) => unknown
    /** By type. */
    readonly messages: readonly SentMessage[]
    open(handshake?: unknown): void
  }

  interface Message {
    readonly onmessage?: (message: unknown, channel: Channel) => unknown
  }

  /** A type of messages of a channel, or of several channels that share it. */
  interface SentMessage {
    send: (message: unknown, channel?: Channel) => boolean
  }

  interface ChannelOptions {
    readonly protocol: string
    readonly id?: Uint8Array | null
    /** By type. */
    readonly messages?: readonly Message[]
  }

  /** The encoded bytes of a batch. */
  interface BatchState {
    readonly buffer: Uint8Array | null
    readonly start: number
    readonly end: number
  }

  class Protomux {
    constructor(stream: SecretStream)
    /** The stream's multiplexer, or a new one. */
    static from(stream: SecretStream): Protomux

    readonly stream: SecretStream
    /** The messages of the current batch, and their length; null unless corked. */
    protected _batch: readonly unknown[] | null
    protected _batchState: BatchState | null
    /** Adds a message to the batch. */
    protected _pushBatch(localId: number, message: Uint8Array): void
    /** Writes the batch. */
    protected _sendBatch(batch: readonly unknown[], state: BatchState): void
    /** Whether the stream has drained; Hypercore answers requests while it has. */
    get drained(): boolean
    set drained(value: boolean)
    /** Null if the stream is destroyed, or this side has such a channel already. */
    createChannel(options: ChannelOptions): Channel | null
    /** Calls `notify` when the peer opens such a channel; without `id`, for all ids that have no listener. */
    pair(options: ChannelOptions, notify: (id: Uint8Array | null) => unknown): void
    destroy(error?: Error): void
    [Symbol.iterator](): Iterator<Channel>
  }

  export type { Channel, ChannelOptions, Message, SentMessage }
  export default Protomux
}
