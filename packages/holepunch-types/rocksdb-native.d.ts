declare module 'rocksdb-native' {
  interface ColumnFamilyOptions {
    readonly enableBlobFiles?: boolean
    readonly minBlobSize?: number
    readonly blobFileSize?: number
  }

  class ColumnFamily {
    constructor(name: string, options?: ColumnFamilyOptions)
    readonly name: string
  }

  interface WriteBatch {
    tryPut(key: Uint8Array, value: Uint8Array): void
    /** Resolves when the operating system has it; there is no fsync. */
    flush: () => Promise<void>
    destroy(): void
  }

  interface WriteOptions {
    readonly capacity?: number
    readonly autoDestroy?: boolean
  }

  /** What all sessions of a database share. */
  interface State {
    /** Batches are taken from a pool: one that was used before may come again. */
    createWriteBatch: (db: RocksDB, options?: WriteOptions) => WriteBatch
  }

  class RocksDB {
    static readonly ColumnFamily: typeof ColumnFamily
    constructor(path: string)

    readonly _state: State
    /** What was asked of it since it was opened. */
    readonly stats: { readonly gets: number }

    ready(): Promise<void>
    close(options?: { readonly force?: boolean }): Promise<void>
    columnFamily(family: ColumnFamily): RocksDB
    write(options?: WriteOptions): WriteBatch
    /** Moves what the write-ahead logs hold of this column family into tables, and syncs those. */
    flush(): Promise<void>
    /** The write-ahead log that takes what is written next, as `number` in its file's name. */
    currentWalFile(): Promise<{ readonly number: number }>
  }

  export type { ColumnFamily, ColumnFamilyOptions, State, WriteBatch, WriteOptions }
  export default RocksDB
}
