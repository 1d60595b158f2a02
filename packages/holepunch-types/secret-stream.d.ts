declare module '@hyperswarm/secret-stream' {
  import type { EventEmitter } from 'node:events'
  import type { KeyPair } from 'hyperdht'

  interface SecretStreamEvents {
    open: []
    data: [chunk: Uint8Array]
    drain: []
    end: []
    close: []
    error: [error: Error & { readonly code?: string }]
  }

  interface RawStream {
    /** Of UDX and TCP streams. */
    readonly remoteHost?: string | null
    readonly remotePort?: number | undefined
    on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
    off(event: 'data', listener: (chunk: Uint8Array) => void): unknown
    destroy(error?: Error): unknown
  }

  interface SecretStreamOptions {
    readonly keyPair?: KeyPair
    readonly keepAlive?: number
  }

  class SecretStream extends EventEmitter<SecretStreamEvents> {
    /** From a seed of 32 bytes. */
    static keyPair(seed: Uint8Array): KeyPair

    constructor(isInitiator: boolean, rawStream?: RawStream | null, options?: SecretStreamOptions)

    readonly isInitiator: boolean
    readonly rawStream: RawStream | null
    /** True after the handshake, false if the stream ended before it. Never rejects. */
    readonly opened: Promise<boolean>
    readonly publicKey: Uint8Array
    /** Null until `opened`: not typed so, because only code that makes a stream has it before. */
    readonly remotePublicKey: Uint8Array
    /** 0: none. */
    readonly keepAlive: number
    readonly destroying: boolean
    readonly destroyed: boolean

    /** Destroys the stream after this time without a byte; keep-alives are bytes. */
    setTimeout(milliseconds: number): void
    setKeepAlive(milliseconds: number): void
    /** False if the caller should wait for `drain`. */
    write(chunk: Uint8Array): boolean
    end(): void
    destroy(error?: Error): void
  }

  export type { RawStream, SecretStreamEvents, SecretStreamOptions }
  export default SecretStream
}
