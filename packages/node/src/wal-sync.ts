import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CorestoreStorage } from 'corestore'
import type RocksDB from 'rocksdb-native'
import type { WriteBatch } from 'rocksdb-native'
import { NodeError, translate } from './errors.ts'
import { syncDirectory, syncFile } from './fsync.ts'

/** What RocksDB names its write-ahead logs, of which the newest grows; older ones go once all that they hold is in other files. */
const LOG = /^(\d+)\.log$/

export interface WalSyncOptions {
  /** Whether anybody waits for the disk; else `sync` resolves at once. */
  readonly fsync: boolean
}

/**
 * Makes every write to a store wait until it is on the disk. rocksdb-native 3.18.1 acknowledges a write when the operating system
 * has it, and has no option for more, so the write-ahead logs are synced here. Writes that come while a sync runs share the
 * next one.
 */
export class WalSync {
  readonly #rocks: RocksDB
  readonly #directory: string
  /** Whether writes wait. */
  readonly isOn: boolean
  #isClosed = false
  readonly #lazy = new WeakSet<RocksDB>()
  readonly #owners = new WeakMap<WriteBatch, RocksDB>()
  readonly #listeners = new Set<(fault: Error) => void>()
  /** Whether anything was written since the last sync began. */
  #isDirty = false
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  #log: { readonly number: number; readonly file: FileHandle } | null = null
  #fault: Error | null = null

  /** `storage` is not open yet: its first write already is to wait. */
  constructor({ rocks, path }: CorestoreStorage, { fsync }: WalSyncOptions) {
    this.#rocks = rocks
    this.#directory = join(path, 'db')
    this.isOn = fsync
    // the one place that makes write batches; those of all sessions come from one pool
    const state = rocks._state
    const create = state.createWriteBatch.bind(state)
    state.createWriteBatch = (db, options) => this.#watch(create(db, options), db)
  }

  /** Writes through `db` do not wait from now on: whoever depends on one calls `sync`. */
  release(db: RocksDB): void {
    this.#lazy.add(db)
  }

  /** Calls `listener` when a sync fails, at once if one has. */
  watch(listener: (fault: Error) => void): void {
    this.#listeners.add(listener)
    if (this.#fault !== null) listener(this.#fault)
  }

  /**
   * Resolves when everything that was written before is on the disk. A sync that failed is never tried again, for the system may
   * have dropped what it could not write: from then on every call rejects with NodeError `STORE_FULL` or the like.
   */
  async sync(): Promise<void> {
    if (this.isOn && !this.#isClosed) await this.#pending()
  }

  /** Whether `sync` would wait. */
  get isPending(): boolean {
    return this.isOn && (this.#isDirty || this.#running !== null || this.#fault !== null)
  }

  /** Puts everything onto the disk, also where nobody else waits for it, and ends. To be called before the store is closed. */
  async close(): Promise<void> {
    // what a closing store writes from now on is no more than hints
    this.#isClosed = true
    try {
      await this.#pending()
    } finally {
      await this.#log?.file.close()
    }
  }

  #watch(batch: WriteBatch, db: RocksDB): WriteBatch {
    const isNew = !this.#owners.has(batch)
    this.#owners.set(batch, db)
    if (!isNew) return batch
    const flush = batch.flush.bind(batch)
    batch.flush = async () => {
      const owner = this.#owners.get(batch)
      await flush()
      this.#isDirty = true
      if (owner === undefined || !this.#lazy.has(owner)) await this.sync()
    }
    return batch
  }

  #pending(): Promise<void> {
    if (this.#fault !== null) return Promise.reject(this.#fault)
    if (!this.#isDirty) return this.#running ?? DONE
    // a tick later: what is written side by side shares one sync
    this.#next ??= (this.#running ?? DONE).then(() => this.#begin())
    return this.#next
  }

  #begin(): Promise<void> {
    this.#isDirty = false
    this.#next = null
    const running = this.#run()
    this.#running = running
    running.then(
      () => {
        if (this.#running === running) this.#running = null
      },
      (error: unknown) => this.#fail(translate(error))
    )
    return running
  }

  async #run(): Promise<void> {
    try {
      const log = await this.#newest()
      await log.datasync()
    } catch (cause) {
      const { code, message } = translate(cause)
      throw new NodeError(
        code === 'STORE_FULL' ? code : 'STORE_REFUSED',
        `cannot sync the store to disk: ${message}`,
        {
          cause
        }
      )
    }
  }

  /** The log that RocksDB writes to, of which `gone` was one that was not there. */
  async #newest(gone = -1): Promise<FileHandle> {
    const { number } = await this.#rocks.currentWalFile()
    if (this.#log?.number === number) return this.#log.file
    try {
      return await this.#follow(number)
    } catch (error) {
      // removed since: what it held is in other files, and another log was begun
      if (!isMissing(error) || number === gone) throw error
      return await this.#newest(number)
    }
  }

  /**
   * RocksDB has begun another log. What was written last may be in the older ones, and recovery drops a log where anything before it
   * is missing: so those first, from the oldest on, then the names of all.
   */
  async #follow(current: number): Promise<FileHandle> {
    const first = this.#log?.number ?? 0
    await this.#log?.file.close()
    this.#log = null
    const numbers = (await readdir(this.#directory))
      .map((name) => Number(LOG.exec(name)?.[1]))
      .filter((number) => number >= first && number < current)
      .sort((one, other) => one - other)
    for (const number of numbers) await this.#syncOld(number)
    await syncDirectory(this.#directory)
    const file = await open(this.#pathOf(current), 'r+')
    this.#log = { number: current, file }
    return file
  }

  async #syncOld(number: number): Promise<void> {
    try {
      await syncFile(this.#pathOf(number))
    } catch (error) {
      // removed meanwhile: what it held is in other files, which RocksDB syncs itself
      if (!isMissing(error)) throw error
    }
  }

  #pathOf(number: number): string {
    return join(this.#directory, `${String(number).padStart(6, '0')}.log`)
  }

  #fail(error: Error): void {
    this.#fault = error
    for (const listener of this.#listeners) listener(error)
  }
}

const DONE = Promise.resolve()

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
