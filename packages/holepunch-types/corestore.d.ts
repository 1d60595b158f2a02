declare module 'corestore' {
  import type { EventEmitter } from 'node:events'
  import type SecretStream from '@hyperswarm/secret-stream'
  import type Hypercore from 'hypercore'
  import type { SharedCore } from 'hypercore'
  import type { KeyPair } from 'hyperdht'
  import type RocksDB from 'rocksdb-native'

  interface CorestoreOptions {
    readonly writable?: boolean
    /** Opens a store that was copied from elsewhere, without a lock. */
    readonly allowBackup?: boolean
  }

  /** Appends through all sessions of one atom become durable together, at its flush. */
  interface Atom {
    flush(): Promise<void>
  }

  interface CorestoreStorage {
    readonly path: string
    readonly rocks: RocksDB
    /** The part of it that holds the cores. */
    readonly db: RocksDB
    /** Called if the database cannot be opened: deletes its write-ahead logs after one kind of error. */
    _maybeRecoverLater: (error: Error) => void
    createAtom(): Atom
    /** Works for cores that are not open, too; null for a missing core. `head` is null for an empty one. */
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
    readonly writable?: boolean
    readonly exclusive?: boolean
    readonly timeout?: number
  }

  /** The result of a replication made from a boolean: a stream to be piped. */
  interface ProtocolStream {
    readonly noiseStream: SecretStream
    pipe<Destination>(destination: Destination): Destination
    destroy(error?: Error): void
  }

  class Corestore extends EventEmitter {
    /** Takes the directory's lock. Throws at once if another process has it. */
    constructor(storage: string | CorestoreStorage, options?: CorestoreOptions)

    readonly storage: CorestoreStorage
    /** The cores that are open, or about to be. */
    readonly cores: Iterable<SharedCore>
    readonly opened: boolean
    readonly closing: Promise<void> | null
    readonly closed: boolean

    ready(): Promise<void>
    close(): Promise<void>
    get(options: CoreOptions & { readonly valueEncoding: 'json' }): Hypercore<unknown>
    get(options: CoreOptions): Hypercore
    createKeyPair(name: string): Promise<KeyPair>
    findingPeers(): () => void
    /** From now on, calls `listener` with each core before it is opened. */
    watch(listener: (core: SharedCore) => void): void
    replicate(stream: SecretStream): SecretStream
    replicate(isInitiator: boolean): ProtocolStream
  }

  export type { Atom, CoreOptions, CorestoreOptions, CorestoreStorage, ProtocolStream }
  export default Corestore
}
