declare module 'protomux' {
  import type SecretStream from '@hyperswarm/secret-stream'

  interface Channel {
    readonly protocol: string
    /** What the channel's maker put there. */
    readonly userData: unknown
    /** After both sides have opened it, and its `onopen` has found nothing wrong. */
    readonly opened: boolean
    /** Called when the stream takes more again. */
    readonly ondrain: (channel: Channel) => unknown
    /** By their types' numbers. */
    readonly messages: readonly SentMessage[]
    open(handshake?: unknown): void
  }

  interface Message {
    readonly onmessage?: (message: unknown, channel: Channel) => unknown
  }

  /** A type of messages of a channel; it has more than one where several share it. */
  interface SentMessage {
    send: (message: unknown, channel?: Channel) => boolean
  }

  interface ChannelOptions {
    readonly protocol: string
    readonly id?: Uint8Array | null
    /** By their types' numbers. */
    readonly messages?: readonly Message[]
  }

  /** Where the bytes of a write go. */
  interface BatchState {
    readonly buffer: Uint8Array | null
    readonly start: number
    readonly end: number
  }

  class Protomux {
    constructor(stream: SecretStream)
    /** The one that speaks on this stream already, or a new one. */
    static from(stream: SecretStream): Protomux

    readonly stream: SecretStream
    /** What is gathered while it is corked, and its length; null while it is not. */
    protected _batch: readonly unknown[] | null
    protected _batchState: BatchState | null
    /** Adds a message to what is gathered. */
    protected _pushBatch(localId: number, message: Uint8Array): void
    /** Writes what was gathered. */
    protected _sendBatch(batch: readonly unknown[], state: BatchState): void
    /** Whether the stream takes more; Hypercore answers requests while it does. */
    get drained(): boolean
    set drained(value: boolean)
    /** Null where the stream is destroyed, or this side has opened such a channel. */
    createChannel(options: ChannelOptions): Channel | null
    /** Called when the other side opens such a channel; without an `id`, for all that nobody pairs with by theirs. */
    pair(options: ChannelOptions, notify: (id: Uint8Array | null) => unknown): void
    destroy(error?: Error): void
    [Symbol.iterator](): Iterator<Channel>
  }

  export type { Channel, ChannelOptions, Message, SentMessage }
  export default Protomux
}
