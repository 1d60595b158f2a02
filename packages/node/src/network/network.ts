import type SecretStream from '@hyperswarm/secret-stream'
import type { Via } from '../status.ts'

/** An encrypted, authenticated stream to a peer, as every way of finding peers gives it. */
export interface Connection {
  readonly stream: SecretStream
  readonly via: Via
}

/** What a network tells its node. */
export interface NetworkEvents {
  readonly onconnection: (connection: Connection) => void
  readonly onunreachable: (via: Via, reason: string) => void
}

/** The key pair that this store shows to its peers, the same at every start. */
export interface PeerKeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** One way of finding the peers of a log. */
export interface Network {
  /** Looks for others with this discovery key, and lets them find us, until `close`. Resolves when others could find us here. */
  join(discoveryKey: Uint8Array): Promise<void>
  /** Ends everything that `join` began. Bounded; call it as often as you like. */
  close(): Promise<void>
}
