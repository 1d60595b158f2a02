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
    /** Resolves when the operating system has the data; there is no fsync. */
    flush: () => Promise<void>
    destroy(): void
  }

  interface WriteOptions {
    readonly capacity?: number
    readonly autoDestroy?: boolean
  }

  /** Shared by all sessions of a database. */
  interface State {
    /** Batches are pooled: it may return one that was used before. */
    createWriteBatch: (db: RocksDB, options?: WriteOptions) => WriteBatch
  }

  class RocksDB {
    static readonly ColumnFamily: typeof ColumnFamily
    constructor(path: string)

    readonly _state: State
    /** Operations since the database was opened. */
    readonly stats: { readonly gets: number }

    ready(): Promise<void>
    close(options?: { readonly force?: boolean }): Promise<void>
    columnFamily(family: ColumnFamily): RocksDB
    write(options?: WriteOptions): WriteBatch
    /** Moves the write-ahead logs of this column family into tables, and syncs those. */
    flush(): Promise<void>
    /** The write-ahead log of the next write; `number` is in its file's name. */
    currentWalFile(): Promise<{ readonly number: number }>
  }

  export type { ColumnFamily, ColumnFamilyOptions, State, WriteBatch, WriteOptions }
  export default RocksDB
}
