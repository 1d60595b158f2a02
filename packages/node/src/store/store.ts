import { readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import b4a from 'b4a'
import Corestore from 'corestore'
import Hypercore, { type SharedCore } from 'hypercore'
import { ignore, NodeError, translate } from '../errors.ts'
import { COPIED, renewDeviceFile } from './copy-mark.ts'
import { isThere, makeDirectory, syncCreated } from './directory.ts'
import { syncDirectory, syncFile } from './fsync.ts'
import { deferHints } from './hints.ts'
import { nameHolder } from './holder.ts'
import { Lock } from './lock.ts'
import { WalSync, type WalSyncOptions } from './wal-sync.ts'

/** The file that Corestore 7 creates first in a new store, and locks. */
export const MARK = 'CORESTORE'

/**
 * Identifies the database of the store by a public key of its secret. RocksDB silently creates a new database if the old one is gone, and
 * drops the end of a damaged log, which may hold the secret.
 */
const DATABASE = 'DATABASE'

/** The name of that key pair. */
const DATABASE_KEY_NAME = 'many-cores/database'

/**
 * RocksDB collects this much in memory, up to twice, before it writes a file. A quarter of the default of hypercore-storage: bulk
 * writes are as fast, and need 100 MB less.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/** How many of RocksDB's message logs from earlier runs are kept for diagnosis. */
const KEPT_LOGS = 3

/** A process that has just created the lock file fills it within this time. */
const MARK_MS = 250

/** An open store. */
export interface OpenStore {
  readonly store: Corestore
  /** Whether it was just created. */
  readonly isNew: boolean
  /** Waits until writes are on disk. */
  readonly wal: WalSync
}

/**
 * Opens the Corestore in `directory`. Creates it if there is none, readable by its owner alone. Once it is open, its secret is on
 * disk. Throws NodeError `STORE_*`.
 */
export async function openStore(directory: string, options: WalSyncOptions): Promise<OpenStore> {
  try {
    const made = await makeDirectory(directory)
    const isNew = await isEmptyOrOurs(directory)
    await removeEmptyMark(directory)
    await checkDatabase(directory)
    const opening = openCorestore(directory, options).catch(async (error: unknown) => {
      if (!isCopy(error)) throw error
      return await openCopy(directory, options)
    })
    const opened = { ...(await opening), isNew }
    if (isNew && options.fsync) {
      await syncFile(join(directory, MARK))
      await syncCreated(directory, made)
    }
    return opened
  } catch (error) {
    const { code, message } = translate(error)
    const isInUse = code === 'STORE_IN_USE'
    const text = isInUse ? `the store is in use by ${await nameHolder(join(directory, MARK))}` : message
    throw new NodeError(isStoreCode(code) ? code : 'STORE_REFUSED', `${directory}: ${text}`, {
      cause: error
    })
  }
}

// hypercore-storage 3.3.1 moves every file that it finds in a directory without this file into a folder `db`.
async function isEmptyOrOurs(directory: string): Promise<boolean> {
  const files = await readdir(directory)
  if (files.length === 0) return true
  if (files.includes(MARK)) return false
  throw new NodeError(
    'STORE_REFUSED',
    'the directory contains other files and no store. Use a new or an empty directory'
  )
}

// device-file, which corestore 7.12 uses, creates the file, locks it and then fills it. An empty one, which a process leaves that is
// killed in between, would be refused as a copied store for ever.
async function removeEmptyMark(directory: string): Promise<void> {
  const mark = join(directory, MARK)
  // of a store that is complete, it is an incomplete copy
  if (!(await isEmpty(mark)) || (await databaseOf(directory)) !== null) return
  await setTimeout(MARK_MS)
  if (await isEmpty(mark)) await unlink(mark)
}

async function isEmpty(file: string): Promise<boolean> {
  try {
    return (await stat(file)).size === 0
  } catch {
    // there is none
    return false
  }
}

/** Throws if the database is gone. To be called before it is opened, which would create a new one and delete the rest. */
async function checkDatabase(directory: string): Promise<void> {
  if ((await databaseOf(directory)) === null) return
  if (!(await isThere(join(directory, 'db', 'CURRENT')))) throw lostDatabase()
}

async function nameDatabase(store: Corestore, directory: string, { fsync }: WalSyncOptions): Promise<void> {
  const { publicKey } = await store.createKeyPair(DATABASE_KEY_NAME)
  const [known, id] = [await databaseOf(directory), b4a.toString(publicKey, 'hex')]
  if (known === null) await writeFile(join(directory, DATABASE), `${id}\n`, { mode: 0o600, flush: fsync })
  else if (known !== id) throw lostDatabase()
}

/** The id of the store's database. Null if the process ended before it was written. */
async function databaseOf(directory: string): Promise<string | null> {
  const text = await readFile(join(directory, DATABASE), 'utf8').catch(() => '')
  return /^([0-9a-f]{64})\n$/.exec(text)?.[1] ?? null
}

function lostDatabase(): NodeError {
  return new NodeError(
    'STORE_DAMAGED',
    'the store is damaged: its database is lost, with its keys and cursors. Use a new --storage'
  )
}

// RocksDB starts a message log of 50 KB each time it is opened, and keeps 1,000. rocksdb-native 3.18 has no option for that.
async function removeOldLogs(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.startsWith('LOG.old.')).sort()
  await Promise.all(logs.slice(0, -KEPT_LOGS).map((name) => unlink(join(directory, name))))
}

async function openCorestore(directory: string, options: WalSyncOptions): Promise<Omit<OpenStore, 'isNew'>> {
  // corestore 7.12 passes only some options on
  const storage = Hypercore.defaultStorage(directory, { writeBufferSize: WRITE_BUFFER_BYTES })
  // after one kind of failure, hypercore-storage 3.3.1 deletes all write-ahead logs: docs/upstream.md
  storage._maybeRecoverLater = ignore
  const wal = new WalSync(storage, options)
  const store = new Corestore(storage)
  try {
    await store.ready()
    await nameDatabase(store, directory, options)
    deferHints(store)
    store.watch((core) => releaseCopy(core, wal))
    store.watch(ignoreLateReads)
    await removeOldLogs(join(directory, 'db'))
    return { store, wal }
  } catch (error) {
    // the caller needs the first error
    await closeCorestore(store).catch(ignore)
    throw error
  }
}

/** Opens a copied store, which is marked as one. Of several processes that do this at once, one succeeds. */
async function openCopy(directory: string, options: WalSyncOptions): Promise<Omit<OpenStore, 'isNew'>> {
  const path = join(directory, COPIED)
  const lock = await Lock.acquire(path)
  if (lock === null) throw new NodeError('STORE_IN_USE', `the store is in use by ${await nameHolder(path)}`)
  try {
    await syncDirectory(directory)
    return await openCorestore(directory, options).catch(async (error: unknown) => {
      // otherwise, another process has renewed it
      if (!isCopy(error)) throw error
      await renewDeviceFile(join(directory, MARK))
      return await openCorestore(directory, options)
    })
  } finally {
    await lock.release()
  }
}

function isCopy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'DEVICE_FILE'
}

/** Closes the store in any case: after a failed open or write, `store.close` stops early, and RocksDB would keep its lock. */
export async function closeCorestore(store: Corestore): Promise<void> {
  try {
    await store.close()
  } finally {
    await store.storage.close()
  }
}

/** A reader can deliver a block before it is on disk: the writer has it. Only announcements and cursors wait for the disk. */
function releaseCopy(core: SharedCore, wal: WalSync): void {
  core.ready().then(() => {
    if (core.header.keyPair === null) wal.release(core.storage.db)
  }, ignore)
}

// hypercore 11.37.1 reads stored blocks in the background. If the store closes meanwhile, the rejection is unhandled, and Node ends the
// process.
function ignoreLateReads({ replicator }: SharedCore): void {
  const resolve = replicator._resolveBlocksLocally.bind(replicator)
  replicator._resolveBlocksLocally = () => resolve().catch(ignore)
}

function isStoreCode(code: string): code is 'STORE_IN_USE' | 'STORE_FULL' | 'STORE_DAMAGED' {
  return ['STORE_IN_USE', 'STORE_FULL', 'STORE_DAMAGED'].includes(code)
}
