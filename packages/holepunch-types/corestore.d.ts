declare module 'corestore' {
  import type { EventEmitter } from 'node:events'
  import type SecretStream from '@hyperswarm/secret-stream'
  import type Hypercore from 'hypercore'
  import type { SharedCore } from 'hypercore'
  import type { KeyPair } from 'hyperdht'
  import type RocksDB from 'rocksdb-native'

  interface CorestoreOptions {
    readonly primaryKey?: Uint8Array
    /** Must be true where `primaryKey` is given. */
    readonly unsafe?: boolean
    readonly readOnly?: boolean
    readonly writable?: boolean
    readonly active?: boolean
    /** Opens a store that was copied from elsewhere, and takes no lock. */
    readonly allowBackup?: boolean
  }

  /** What is appended through sessions with one atom becomes durable at its flush, together. */
  interface Atom {
    flush(): Promise<void>
  }

  interface CorestoreStorage {
    readonly path: string
    readonly rocks: RocksDB
    /** Called when the database could not be opened: deletes its write-ahead logs where that is what recovery needs. */
    _maybeRecoverLater: (error: Error) => void
    createAtom(): Atom
    /** Of each core, whether it is open or not; null where there is none. `head` is null where nothing was appended. */
    getInfos(
      discoveryKeys: readonly Uint8Array[],
      options: { readonly auth: false; readonly hints: false }
    ): Promise<({ readonly head: { readonly length: number } | null } | null)[]>
    close(): Promise<void>
  }

  /** One of `name`, `key`, `keyPair` and `discoveryKey`. */
  interface CoreOptions {
    readonly name?: string
    readonly key?: Uint8Array | string
    readonly keyPair?: KeyPair
    readonly discoveryKey?: Uint8Array
    readonly active?: boolean
    readonly writable?: boolean
    readonly exclusive?: boolean
    readonly encryptionKey?: Uint8Array
    readonly timeout?: number
  }

  /** The plain side of a replication made from a boolean, for piping. */
  interface ProtocolStream {
    readonly noiseStream: SecretStream
    pipe<Destination>(destination: Destination): Destination
    destroy(error?: Error): void
  }

  class Corestore extends EventEmitter {
    /** Takes the directory's lock as it is constructed: throws at once where another process owns it. */
    constructor(storage: string | CorestoreStorage, options?: CorestoreOptions)

    readonly storage: CorestoreStorage
    /** Those that are open, or about to be. */
    readonly cores: Iterable<SharedCore>
    readonly primaryKey: Uint8Array | null
    readonly opened: boolean
    readonly closing: Promise<void> | null
    readonly closed: boolean

    ready(): Promise<void>
    close(): Promise<void>
    get(options: CoreOptions & { readonly valueEncoding: 'json' }): Hypercore<unknown>
    get(options: CoreOptions): Hypercore
    createKeyPair(name: string): Promise<KeyPair>
    findingPeers(): () => void
    /** Calls `listener` with each core that is opened from now on, before it is. */
    watch(listener: (core: SharedCore) => void): void
    replicate(stream: SecretStream): SecretStream
    replicate(isInitiator: boolean): ProtocolStream
  }

  export type { Atom, CoreOptions, CorestoreOptions, CorestoreStorage, ProtocolStream }
  export default Corestore
}
