declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events'
  import type SecretStream from '@hyperswarm/secret-stream'

  interface KeyPair {
    readonly publicKey: Uint8Array
    readonly secretKey: Uint8Array
  }

  interface Address {
    readonly host: string
    readonly port: number
  }

  interface HyperDHTEvents {
    'network-change': [interfaces: unknown]
    'network-update': []
    persistent: []
  }

  interface HyperDHTOptions {
    /** The public nodes where it is left out. A string is `host:port`. */
    readonly bootstrap?: readonly (string | Address)[]
    /** What to bind to. A node bound to 0.0.0.0 cannot be reached over loopback on some hosts. */
    readonly host?: string
    readonly port?: number
    readonly ephemeral?: boolean
    readonly firewalled?: boolean
    readonly keyPair?: KeyPair
    /** How much later another node may have its ping answered, in ms. Default 10,000, also where it is 0. */
    readonly maxPingDelay?: number
  }

  /** Who announces a target, as those nodes answer that know of any. */
  interface Lookup extends AsyncIterable<{ readonly peers: readonly { readonly publicKey: Uint8Array }[] }> {
    /** What the closest nodes answered, whether they know of any or not. */
    readonly closestReplies: readonly unknown[]
  }

  class HyperDHT extends EventEmitter<HyperDHTEvents> {
    constructor(options?: HyperDHTOptions)
    static keyPair(seed?: Uint8Array): KeyPair

    readonly defaultKeyPair: KeyPair
    readonly bootstrapped: boolean
    readonly online: boolean
    readonly firewalled: boolean
    /** Behind a NAT that gives each peer another port: two such peers need a relay. */
    readonly randomized: boolean
    readonly destroyed: boolean

    /** Takes 12 s without a network. */
    fullyBootstrapped(): Promise<void>
    /** Of dht-rpc. Its sockets hand everything to `onmessage` as it is a tick after the node is made. */
    readonly io: { onmessage(socket: unknown, message: Uint8Array, from: Address): void }
    readonly stats: { readonly requests: { readonly total: number; readonly responses: number } }
    /** The address that others see; null until known. Port 0 where each of them sees another. */
    readonly host: string | null
    readonly port: number

    connect(remotePublicKey: Uint8Array, options?: object): SecretStream
    lookup(target: Uint8Array): Lookup
    announce(target: Uint8Array, keyPair: KeyPair): { finished(): Promise<void> }
    /** Null until bound. */
    address(): Address | null
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }

  export type { Address, HyperDHTEvents, HyperDHTOptions, KeyPair, Lookup }
  export default HyperDHT
}

declare module 'hyperdht/testnet.js' {
  import type HyperDHT from 'hyperdht'
  import type { Address, HyperDHTOptions } from 'hyperdht'

  interface Testnet {
    readonly nodes: HyperDHT[]
    readonly bootstrap: readonly Address[]
    /** Destroyed with the testnet. */
    createNode(options?: HyperDHTOptions): HyperDHT
    destroy(): Promise<void>
  }

  export type { Testnet }
  export default function createTestnet(
    size?: number,
    options?: { readonly host?: string; readonly port?: number; readonly bootstrap?: readonly Address[] }
  ): Promise<Testnet>
}
