declare module 'hyperswarm' {
  import type { EventEmitter } from 'node:events'
  import type SecretStream from '@hyperswarm/secret-stream'
  import type HyperDHT from 'hyperdht'
  import type { Address, KeyPair } from 'hyperdht'

  interface HyperswarmEvents {
    connection: [connection: SecretStream, peer: PeerInfo]
    update: []
  }

  interface PeerInfo {
    readonly publicKey: Uint8Array
    /** Whether this side opened the connection. */
    readonly client: boolean
    /** Empty on the called side. */
    readonly topics: readonly Uint8Array[]
    /** A banned peer is not called, and refused if it calls. A peer that `firewall` refuses gets banned. */
    ban(banned: boolean): void
  }

  interface HyperswarmOptions {
    readonly keyPair?: KeyPair
    /** Destroyed with the swarm, although the caller made it. */
    readonly dht?: HyperDHT
    readonly bootstrap?: readonly (string | Address)[]
    /** True refuses the peer. */
    readonly firewall?: (remotePublicKey: Uint8Array) => boolean
    readonly maxPeers?: number
    /** The public key of a relay for peers that cannot be connected directly. */
    readonly relayThrough?: Uint8Array | ((force: boolean) => Uint8Array | null)
  }

  interface Discovery {
    readonly topic: Uint8Array
    /** Whether the first announcement and lookup succeeded. */
    flushed(): Promise<boolean>
    refresh(options?: { readonly server?: boolean; readonly client?: boolean }): Promise<boolean>
    destroy(): Promise<void>
  }

  interface Server {
    /** Announces this peer's own address again, at once. */
    refresh(): void
  }

  class Hyperswarm extends EventEmitter<HyperswarmEvents> {
    constructor(options?: HyperswarmOptions)

    readonly keyPair: KeyPair
    readonly dht: HyperDHT
    readonly server: Server
    /** All peers that were found or have called, by public key in hex. */
    readonly peers: ReadonlyMap<string, PeerInfo>
    readonly connections: ReadonlySet<SecretStream>
    readonly destroyed: boolean

    join(topic: Uint8Array, options?: { readonly server?: boolean; readonly client?: boolean }): Discovery
    topics(): Iterable<Discovery>
    flush(): Promise<boolean>
    /** Takes 6 to 9 s without a network, unless `force`. */
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }

  export type { Discovery, HyperswarmEvents, HyperswarmOptions, PeerInfo, Server }
  export default Hyperswarm
}
