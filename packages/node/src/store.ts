import { mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import Corestore from 'corestore'
import Hypercore from 'hypercore'
import { NodeError, translate } from './errors.ts'
import { deferHints } from './hints.ts'
import { holderOf } from './holder.ts'

/** What Corestore 7 puts first into a directory of its own. */
const MARK = 'CORESTORE'

/**
 * What RocksDB gathers in memory before it writes a file; it holds up to two of them. A quarter of hypercore-storage's own
 * default takes in bulk as fast, in 100 MB less.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/** How many logs of RocksDB, of earlier times that the store was open, are kept for whoever looks into a fault. */
const KEPT_LOGS = 3

/** Whoever makes a mark just now has filled it by then. */
const MARK_MS = 250

/** An open store, and whether it was made just now. */
export interface OpenStore {
  readonly store: Corestore
  readonly isNew: boolean
}

/** A Corestore on `directory`, made where there is none, readable by its owner alone. Throws NodeError `STORE_*`. */
export async function openStore(directory: string): Promise<OpenStore> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const isNew = await isEmptyOrOurs(directory)
    await removeEmptyMark(join(directory, MARK))
    return { store: await openCorestore(directory), isNew }
  } catch (error) {
    const { code, message } = translate(error)
    const holder = code === 'STORE_IN_USE' ? await holderOf(join(directory, MARK)) : null
    const text = holder === null ? message : `the store is in use by process ${holder}`
    throw new NodeError(isStoreCode(code) ? code : 'STORE_REFUSED', `${directory}: ${text}`, {
      cause: error
    })
  }
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

// RocksDB begins a log of 50 KB whenever it is opened, and keeps a thousand: rocksdb-native 3.18 does not let us say otherwise.
async function removeOldLogs(directory: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => name.startsWith('LOG.old.')).sort()
  await Promise.all(logs.slice(0, -KEPT_LOGS).map((name) => unlink(join(directory, name))))
}

async function openCorestore(directory: string): Promise<Corestore> {
  // corestore 7.12 hands only some options on
  const store = new Corestore(Hypercore.defaultStorage(directory, { writeBufferSize: WRITE_BUFFER_BYTES }))
  try {
    await store.ready()
    deferHints(store)
    await removeOldLogs(join(directory, 'db'))
    return store
  } catch (error) {
    // the failed open is what the caller must hear of
    await store.close().catch(ignore)
    // a store that failed to open does not close what it opened (ready-resource), and RocksDB would keep its lock
    await store.storage.close().catch(ignore)
    throw error
  }
}

function isStoreCode(code: string): code is 'STORE_IN_USE' | 'STORE_FULL' | 'STORE_DAMAGED' {
  return ['STORE_IN_USE', 'STORE_FULL', 'STORE_DAMAGED'].includes(code)
}

function ignore(): void {}
