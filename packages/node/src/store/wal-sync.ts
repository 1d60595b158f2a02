import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CorestoreStorage } from 'corestore'
import type RocksDB from 'rocksdb-native'
import type { WriteBatch } from 'rocksdb-native'
import { ignore, isMissing, NodeError, translate } from '../errors.ts'
import { syncDirectory, syncFile } from './fsync.ts'

/** RocksDB's names of write-ahead logs. It writes to the newest, and deletes an older one once its content is in other files. */
const LOG = /^(\d+)\.log$/

export interface WalSyncOptions {
  /** Whether writes wait for the disk. If not, `sync` resolves at once. */
  readonly fsync: boolean
}

/**
 * Makes each write to a store wait until it is on disk. rocksdb-native 3.18.1 resolves a write once the operating system has it, and
 * has no option to sync, so this class syncs the write-ahead logs. Writes that arrive during a sync share the next one.
 */
export class WalSync {
  readonly #rocks: RocksDB
  readonly #directory: string
  /** Whether writes wait for the disk. */
  readonly isOn: boolean
  /** Called with the error of each failed write or sync: Hypercore ignores some. */
  onFault: (error: unknown) => void = ignore
  #isClosed = false
  readonly #released = new WeakSet<RocksDB>()
  /** Whether anything was written since the last sync started. */
  #isDirty = false
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  #log: { readonly number: number; readonly file: FileHandle } | null = null
  #fault: NodeError | null = null

  /** `storage` must not be open yet: opening it writes. */
  constructor({ rocks, path }: CorestoreStorage, { fsync }: WalSyncOptions) {
    this.#rocks = rocks
    this.#directory = join(path, 'db')
    this.isOn = fsync
    // all sessions of the database get their write batches here
    const state = rocks._state
    const create = state.createWriteBatch.bind(state)
    state.createWriteBatch = (db, options) => {
      const batch = create(db, options)
      // not `batch.flush`: a batch from the pool has ours already
      const { flush } = Object.getPrototypeOf(batch) as WriteBatch
      batch.flush = async () => {
        await flush.call(batch).catch((error: unknown) => {
          this.onFault(error)
          throw error
        })
        this.#isDirty = true
        if (!this.#released.has(db)) await this.sync()
      }
      return batch
    }
  }

  /** From now on, writes through `db` do not wait. Call `sync` where that matters. */
  release(db: RocksDB): void {
    this.#released.add(db)
  }

  /**
   * Resolves when all earlier writes are on disk. After a failed sync every call rejects with NodeError `STORE_FULL` or
   * `STORE_REFUSED`: a second attempt could succeed although the operating system has dropped what it could not write.
   */
  async sync(): Promise<void> {
    if (this.isOn && !this.#isClosed) await this.#pending()
  }

  /** Whether `sync` would wait. */
  get isPending(): boolean {
    return this.isOn && (this.#isDirty || this.#running !== null || this.#fault !== null)
  }

  /** Syncs everything, even without `fsync`. Call this before the store is closed. */
  async close(): Promise<void> {
    // a store that closes writes only hints
    this.#isClosed = true
    try {
      await this.#pending()
    } finally {
      await this.#log?.file.close()
    }
  }

  #pending(): Promise<void> {
    if (this.#fault !== null) return Promise.reject(this.#fault)
    if (!this.#isDirty) return this.#running ?? DONE
    // not at once: concurrent writes share one sync
    this.#next ??= (this.#running ?? DONE).then(() => this.#run())
    return this.#next
  }

  async #run(): Promise<void> {
    this.#isDirty = false
    this.#running = this.#next
    this.#next = null
    try {
      const log = await this.#newest()
      await log.datasync()
      this.#running = null
    } catch (cause) {
      const { code, message } = translate(cause)
      const text = `cannot sync the store to disk: ${message}`
      this.#fault = new NodeError(code === 'STORE_FULL' ? code : 'STORE_REFUSED', text, { cause })
      this.onFault(this.#fault)
      throw this.#fault
    }
  }

  /** The log that RocksDB writes to now. `gone` is the number of a log that was deleted before it could be opened. */
  async #newest(gone = -1): Promise<FileHandle> {
    const { number } = await this.#rocks.currentWalFile()
    if (this.#log?.number === number) return this.#log.file
    try {
      return await this.#follow(number)
    } catch (error) {
      // RocksDB has deleted it meanwhile, after it moved the content to other files, and started another log
      if (!isMissing(error) || number === gone) throw error
      return await this.#newest(number)
    }
  }

  /**
   * Switches to the log that RocksDB writes to now. The last writes may be in older logs, and recovery drops a log if anything before
   * it is missing. So this syncs the older ones first, from the oldest on, then the directory.
   */
  async #follow(current: number): Promise<FileHandle> {
    const first = this.#log?.number ?? 0
    await this.#log?.file.close()
    this.#log = null
    const numbers = (await readdir(this.#directory))
      .map((name) => Number(LOG.exec(name)?.[1]))
      .filter((number) => number >= first && number < current)
      .sort((one, other) => one - other)
    for (const number of numbers) {
      await syncFile(this.#pathOf(number)).catch((error: unknown) => {
        // RocksDB has deleted it, and synced the files that have its content
        if (!isMissing(error)) throw error
      })
    }
    await syncDirectory(this.#directory)
    const file = await open(this.#pathOf(current), 'r+')
    this.#log = { number: current, file }
    return file
  }

  #pathOf(number: number): string {
    return join(this.#directory, `${String(number).padStart(6, '0')}.log`)
  }
}

const DONE = Promise.resolve()
