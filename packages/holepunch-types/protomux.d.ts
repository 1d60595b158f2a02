declare module 'protomux' {
  import type SecretStream from '@hyperswarm/secret-stream'

  interface Channel {
    readonly protocol: string
    /** After both sides have opened it, and its `onopen` has found nothing wrong. */
    readonly opened: boolean
    open(handshake?: unknown): void
  }

  interface ChannelOptions {
    readonly protocol: string
    readonly id?: Uint8Array | null
  }

  class Protomux {
    constructor(stream: SecretStream)
    /** The one that speaks on this stream already, or a new one. */
    static from(stream: SecretStream): Protomux

    readonly stream: SecretStream
    /** Null where the stream is destroyed, or this side has opened such a channel. */
    createChannel(options: ChannelOptions): Channel | null
    /** Called when the other side opens such a channel; without an `id`, for all that nobody pairs with by theirs. */
    pair(options: ChannelOptions, notify: (id: Uint8Array | null) => unknown): void
    destroy(error?: Error): void
    [Symbol.iterator](): Iterator<Channel>
  }

  export type { Channel, ChannelOptions }
  export default Protomux
}
