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

  interface HyperDHTOptions {
    /** Default: the public nodes. A string is `host:port`. */
    readonly bootstrap?: readonly (string | Address)[]
    /** The address to bind. On some hosts, a node at 0.0.0.0 cannot be reached over loopback. */
    readonly host?: string
    readonly port?: number
    readonly ephemeral?: boolean
    readonly firewalled?: boolean
    readonly keyPair?: KeyPair
    /** The longest delay of a ping that another node may ask for, in ms. Default 10,000, also for 0. */
    readonly maxPingDelay?: number
  }

  /** The peers that announce a target, from each node that knows some. */
  interface Lookup extends AsyncIterable<{ readonly peers: readonly { readonly publicKey: Uint8Array }[] }> {
    /** The answers of the closest nodes, including those that know no peer. */
    readonly closestReplies: readonly unknown[]
  }

  class HyperDHT extends EventEmitter {
    constructor(options?: HyperDHTOptions)
    static keyPair(seed?: Uint8Array): KeyPair

    readonly bootstrapped: boolean
    readonly firewalled: boolean
    /** Whether it is behind a NAT that uses another port for each peer: two such peers need a relay. */
    readonly randomized: boolean
    readonly destroyed: boolean

    /** Of dht-rpc. Its sockets call the `onmessage` that is set a tick after the node is made. */
    readonly io: { onmessage(socket: unknown, message: Uint8Array, from: Address): void }
    readonly stats: { readonly requests: { readonly total: number; readonly responses: number } }
    /** The address that other nodes see; null until known. The port is 0 if they see different ones. */
    readonly host: string | null
    readonly port: number

    connect(remotePublicKey: Uint8Array, options?: object): SecretStream
    lookup(target: Uint8Array): Lookup
    announce(target: Uint8Array, keyPair: KeyPair): { finished(): Promise<void> }
    /** Null until bound. */
    address(): Address | null
    destroy(options?: { readonly force?: boolean }): Promise<void>
  }

  export type { Address, HyperDHTOptions, KeyPair, Lookup }
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
