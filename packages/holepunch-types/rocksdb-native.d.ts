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
    /** Resolves when the log of the database has it; there is no fsync. */
    flush(): Promise<void>
    destroy(): void
  }

  class RocksDB {
    static readonly ColumnFamily: typeof ColumnFamily
    constructor(path: string)

    ready(): Promise<void>
    close(options?: { readonly force?: boolean }): Promise<void>
    columnFamily(family: ColumnFamily): RocksDB
    write(options?: { readonly capacity?: number; readonly autoDestroy?: boolean }): WriteBatch
  }

  export type { ColumnFamily, ColumnFamilyOptions, WriteBatch }
  export default RocksDB
}
