import { mkdir, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import b4a from 'b4a'
import Corestore from 'corestore'
import Hypercore, { type SharedCore } from 'hypercore'
import { ignore, NodeError, translate } from '../errors.ts'
import { syncDirectory, syncFile } from './fsync.ts'
import { deferHints } from './hints.ts'
import { holderOf } from './holder.ts'
import { WalSync, type WalSyncOptions } from './wal-sync.ts'

/** What Corestore 7 puts first into a directory of its own. */
const MARK = 'CORESTORE'

/**
 * Names the database of the store by a public key of its secret. RocksDB makes a new database without a word where the old one is
 * gone, and drops the end of a damaged log, the secret included.
 */
const DATABASE = 'DATABASE'

/** The alias of that key. */
const DATABASE_KEY_NAME = 'many-cores/database'

/**
 * What RocksDB gathers in memory before it writes a file; it holds up to two of them. A quarter of hypercore-storage's own
 * default takes in bulk as fast, in 100 MB less.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/** How many logs of RocksDB, of earlier times that the store was open, are kept for whoever looks into a fault. */
const KEPT_LOGS = 3

/** Whoever makes a mark just now has filled it by then. */
const MARK_MS = 250

/** An open store. */
export interface OpenStore {
  readonly store: Corestore
  /** Whether it was made just now. */
  readonly isNew: boolean
  /** Tells when what was written to it is on the disk. */
  readonly wal: WalSync
}

/**
 * A Corestore on `directory`, made where there is none, readable by its owner alone. Once it is open, it and its secret are on the
 * disk. Throws NodeError `STORE_*`.
 */
export async function openStore(directory: string, options: WalSyncOptions): Promise<OpenStore> {
  try {
    const made = await makeDirectory(directory)
    const isNew = await isEmptyOrOurs(directory)
    await removeEmptyMark(join(directory, MARK))
    await checkDatabase(directory)
    const opened = { ...(await openCorestore(directory, options)), isNew }
    if (isNew && options.fsync) await syncNames(directory, made)
    return opened
  } catch (error) {
    const { code, message } = translate(error)
    const holder = code === 'STORE_IN_USE' ? await holderOf(join(directory, MARK)) : null
    const who =
      holder === process.pid ? 'this process itself: close its other node first' : `process ${holder}`
    const text = holder === null ? message : `the store is in use by ${who}`
    throw new NodeError(isStoreCode(code) ? code : 'STORE_REFUSED', `${directory}: ${text}`, {
      cause: error
    })
  }
}

/** Returns the outermost directory that was made. Not `recursive`: on a file system that takes none, as /proc, Node 20 never ends. */
async function makeDirectory(directory: string): Promise<string | undefined> {
  const parent = dirname(directory)
  const made = (await isThere(parent)) ? undefined : await makeDirectory(parent)
  try {
    await mkdir(directory, { mode: 0o700 })
    return made ?? directory
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOENT') throw refused('no directory can be made there: use another --storage', error)
    if (code !== 'EEXIST') throw error
    const found = await stat(directory).catch(() => null)
    if (found?.isDirectory() === true) return made
    if (found !== null) throw error
    throw refused(
      `${directory} is a link to a directory that does not exist: make that, or use another --storage`,
      error
    )
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

function refused(fault: string, cause: unknown): NodeError {
  return new NodeError('STORE_REFUSED', `the store cannot be used: ${fault}`, { cause })
}

// hypercore-storage 3.3.1 moves every file that it finds in a directory without its mark into a folder `db`.
async function isEmptyOrOurs(directory: string): Promise<boolean> {
  const files = await readdir(directory)
  if (files.length === 0) return true
  if (files.includes(MARK)) return false
  throw new NodeError(
    'STORE_REFUSED',
    'the directory holds other files and no store: name an empty or a new one'
  )
}

// device-file, under corestore 7.12, makes the mark, locks it, and then fills it: a process that is killed in between leaves
// one that is refused as copied ever after.
async function removeEmptyMark(mark: string): Promise<void> {
  if (!(await isEmpty(mark))) return
  await setTimeout(MARK_MS)
  if (await isEmpty(mark)) await unlink(mark)
}

async function isEmpty(file: string): Promise<boolean> {
  try {
    return (await stat(file)).size === 0
  } catch {
    // not there: nothing to mend
    return false
  }
}

/** Before it is opened, which would make another, and delete what is left. */
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

/** The name of the store's database; null where the process ended before it was written. */
async function databaseOf(directory: string): Promise<string | null> {
  const text = await readFile(join(directory, DATABASE), 'utf8').catch(() => '')
  return /^([0-9a-f]{64})\n$/.exec(text)?.[1] ?? null
}

function lostDatabase(): NodeError {
  return new NodeError(
    'STORE_DAMAGED',
    'the store is damaged: its database is lost, with its keys and cursors; restore a backup of the whole store, or use a new --storage'
  )
}

// RocksDB begins a log of 50 KB whenever it is opened, and keeps a thousand: rocksdb-native 3.18 does not let us say otherwise.
async function removeOldLogs(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.startsWith('LOG.old.')).sort()
  await Promise.all(logs.slice(0, -KEPT_LOGS).map((name) => unlink(join(directory, name))))
}

/** The mark, and the names of all directories that were made, of which `made` is the outermost. */
async function syncNames(directory: string, made: string | undefined): Promise<void> {
  await syncFile(join(directory, MARK))
  const outermost = made === undefined ? directory : dirname(made)
  for (let inner = directory; ; inner = dirname(inner)) {
    await syncDirectory(inner)
    if (inner === outermost || inner === dirname(inner)) return
  }
}

async function openCorestore(directory: string, options: WalSyncOptions): Promise<Omit<OpenStore, 'isNew'>> {
  // corestore 7.12 hands only some options on
  const storage = Hypercore.defaultStorage(directory, { writeBufferSize: WRITE_BUFFER_BYTES })
  // hypercore-storage 3.3.1 deletes all write-ahead logs after one kind of failure: docs/upstream.md
  storage._maybeRecoverLater = ignore
  const wal = new WalSync(storage, options)
  const store = new Corestore(storage)
  try {
    await store.ready()
    await nameDatabase(store, directory, options)
    deferHints(store)
    store.watch((core) => releaseCopy(core, wal))
    store.watch(endQuietly)
    await removeOldLogs(join(directory, 'db'))
    return { store, wal }
  } catch (error) {
    // the failed open is what the caller must hear of
    await store.close().catch(ignore)
    // a store that failed to open does not close what it opened (ready-resource), and RocksDB would keep its lock
    await store.storage.close().catch(ignore)
    throw error
  }
}

/** A reader prints a block before it is on its disk, for its writer has it: what is announced or remembered waits, nothing else. */
function releaseCopy(core: SharedCore, wal: WalSync): void {
  core.ready().then(() => {
    if (core.header.keyPair === null) wal.release(core.storage.db)
  }, ignore)
}

// hypercore 11.37.1 reads what it has just stored in the background: where the store closes meanwhile, nobody hears of the reason,
// and Node ends the process.
function endQuietly({ replicator }: SharedCore): void {
  const resolve = replicator._resolveBlocksLocally.bind(replicator)
  replicator._resolveBlocksLocally = () => resolve().catch(ignore)
}

function isStoreCode(code: string): code is 'STORE_IN_USE' | 'STORE_FULL' | 'STORE_DAMAGED' {
  return ['STORE_IN_USE', 'STORE_FULL', 'STORE_DAMAGED'].includes(code)
}
