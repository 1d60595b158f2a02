import { readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type CoreKey, parseKey } from '@many-cores/protocol'
import { NodeError, translate } from './errors.ts'
import { deriveId, deriveKeyPair, PEER, type PeerKeyPair, peerIdOf, peerKeyPair } from './network/identity.ts'
import { type Node, type NodeOptions, openNode, openNodeIn } from './node.ts'
import { isThere, makeDirectory, syncCreated } from './store/directory.ts'
import { nameHolder } from './store/holder.ts'
import { Home } from './store/home.ts'
import { Lock } from './store/lock.ts'
import { MARK } from './store/store.ts'

/** The directory with the stores. That of a log is named by its key; temporary ones beside it have a number, too. */
const LOGS = 'logs'
const TEMPORARY = /^[0-9a-f]{64}\.\d+$/

/** How many processes can read one log at once. */
const MAX_STORES = 64

/** A look takes this long at most, unless its process is suspended. */
const LOOK_MS = 5000

const POLL_MS = 20

export interface IdOptions extends Pick<NodeOptions, 'fsync'> {
  /** Whether the directory is a store of `openNode`. */
  readonly isStore: boolean
}

export interface LogNodeOptions extends Omit<NodeOptions, 'storage'> {
  /** The directory with the stores, the cursors and the ids of one user's readers. Created if it does not exist. */
  readonly home: string
  /** The key of the log, in any spelling. */
  readonly key: string
  /** Renames a damaged store, and creates a new one. Default false. */
  readonly rebuild?: boolean
}

/**
 * Opens the store of one log in a home, which any number of processes can share. The second process of one log gets a temporary store:
 * the first one serves it. Peers that allow the id of the home allow the stores of all logs, but not temporary ones.
 *
 * A home can also be the directory of a store that `openNode` has created, which one process at a time can open.
 *
 * @throws as `openNode`; ProtocolError `BAD_KEY`.
 */
export function openLogNode(options: LogNodeOptions): Promise<Node> {
  return openHomeNode(options, false)
}

/**
 * Calls `work` with a node that is open for a moment. Readers of the log that start meanwhile wait for it, instead of taking a
 * temporary store.
 */
export async function lookAtLog<T>(options: LogNodeOptions, work: (node: Node) => Promise<T>): Promise<T> {
  const storage = storeOf(resolve(options.home), parseKey(options.key))
  const lock = (await isThere(storage)) ? await lockForLook(storage) : null
  try {
    await using node = await openHomeNode({ ...options, local: true, lan: false, fsync: false }, true)
    if (node.isTemporary) await lock?.release()
    return await work(node)
  } finally {
    await lock?.release()
  }
}

/** With `isLook`, the caller holds the lock of `lockForLook`. */
async function openHomeNode(
  { home, key, rebuild = false, ...options }: LogNodeOptions,
  isLook: boolean
): Promise<Node> {
  const parsed = parseKey(key)
  const { fsync = true } = options
  const directory = resolve(home)
  if (await isStore(directory)) return await openNode({ ...options, storage: directory })
  const { slot, lock } = await orRefused(directory, async () => {
    await makeHome(directory, fsync)
    await removeLeftovers(directory)
    return await claimStore(directory, parsed, isLook)
  })
  const storage = storeOf(directory, parsed, slot)
  const isTemporary = slot > 0
  const onClosed = async (): Promise<void> => {
    try {
      if (isTemporary) await remove(storage)
    } finally {
      await lock.release()
    }
  }
  try {
    if (isTemporary) await remove(storage)
    else if (rebuild) await moveAside(storage, options)
    const own = await peerKeyPair(directory, { fsync })
    const keyPair = deriveKeyPair(own, nameOf(parsed, slot))
    const id = peerIdOf(isTemporary ? keyPair : own)
    const siblings = options.allow === undefined ? [] : siblingsOf(peerIdOf(own), parsed)
    const place = { home: new Home(directory, fsync), keyPair, id, siblings, isTemporary, onClosed }
    // a temporary store promises nothing
    return await openNodeIn(place, { ...options, storage, fsync: fsync && !isTemporary })
  } catch (error) {
    await onClosed()
    throw error
  }
}

/**
 * The id of a store, or of a home of readers, also while it is in use. A home is created if it is missing, and so is a store with
 * `isStore`.
 *
 * @throws as `openNode`.
 */
export async function readId(directory: string, options: IdOptions): Promise<string> {
  const path = resolve(directory)
  const { isStore: hasOneLog, fsync = true } = options
  if (!hasOneLog || (await isThere(join(path, PEER)))) return peerIdOf(await homeKeyPair(path, fsync))
  await using node = await openNode({ storage: path, fsync, local: true })
  return node.id
}

/** What identifies a reader of a log to peers: the id that they allow, and the key pair that is derived from it. */
export async function logIdentity(
  directory: string,
  key: CoreKey
): Promise<{ readonly id: string; readonly keyPair: PeerKeyPair }> {
  const own = await homeKeyPair(directory, false)
  return { id: peerIdOf(own), keyPair: (await isStore(directory)) ? own : deriveKeyPair(own, nameOf(key, 0)) }
}

async function homeKeyPair(directory: string, fsync: boolean): Promise<PeerKeyPair> {
  return await orRefused(directory, async () => {
    if (!(await isStore(directory))) await makeHome(directory, fsync)
    return await peerKeyPair(directory, { fsync })
  })
}

/** The directory of the store of a log in a home. */
function storeOf(home: string, key: CoreKey, slot = 0): string {
  return join(home, LOGS, nameOf(key, slot))
}

/** Whether a home has a store of the log, or is one. */
export async function hasStore(home: string, key: CoreKey): Promise<boolean> {
  return (await isStore(home)) || (await isThere(storeOf(home, key)))
}

/** A store that this process has, until it releases the lock. */
interface Claim {
  /** 0: the log's own. */
  readonly slot: number
  readonly lock: Lock
}

/** Whether a directory is a store of `openNode`, and not a home. Throws for a store of an earlier version. */
async function isStore(directory: string): Promise<boolean> {
  if (!(await isThere(join(directory, MARK)))) return false
  if (await isThere(join(directory, PEER))) return true
  throw new NodeError(
    'STORE_REFUSED',
    `${directory}: an earlier version created this store, with the cursors in it. Use a new --storage: its lines are fetched from peers again`
  )
}

/** Throws if the directory has files of other software. */
async function makeHome(directory: string, fsync: boolean): Promise<void> {
  const made = await makeDirectory(directory)
  const isOurs = (name: string): boolean => name.startsWith(PEER) || name === LOGS
  const names = await readdir(directory)
  if (names.length > 0 && !names.some(isOurs))
    throw new NodeError(
      'STORE_REFUSED',
      'the directory contains other files and no store. Use a new or an empty directory'
    )
  const logs = join(directory, LOGS)
  const outermost = await makeDirectory(logs)
  if (fsync && outermost !== undefined) await syncCreated(logs, made ?? outermost)
}

/** Removes temporary stores of processes that were killed. */
async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(join(directory, LOGS))) {
    if (!TEMPORARY.test(name)) continue
    const storage = join(directory, LOGS, name)
    const lock = await Lock.acquire(`${storage}.lock`)
    if (lock === null) continue
    await remove(storage)
    await lock.release()
  }
}

/** The first store that no other process has. */
async function claimStore(directory: string, key: CoreKey, isLook: boolean): Promise<Claim> {
  const first = lockOf(directory, key, 0)
  for (let slot = 0; slot < MAX_STORES; slot++) {
    const lock = await Lock.acquire(lockOf(directory, key, slot))
    if (lock !== null) return { slot, lock }
    if (slot > 0 || isLook) continue
    const look = await lockForLook(storeOf(directory, key))
    const again = await Lock.acquire(first)
    await look?.release()
    if (again !== null) return { slot, lock: again }
  }
  throw new NodeError(
    'STORE_IN_USE',
    `${MAX_STORES} processes read this log, one is ${await nameHolder(first)}`
  )
}

/** Waits until no process looks at the store. Null if one does not end. */
async function lockForLook(storage: string): Promise<Lock | null> {
  for (const end = performance.now() + LOOK_MS; performance.now() < end; await setTimeout(POLL_MS)) {
    const lock = await Lock.acquire(`${storage}.look.lock`)
    if (lock !== null) return lock
  }
  return null
}

/** The ids of all stores of a log in the home with this id: their processes serve each other, also if `allow` does not name them. */
function siblingsOf(id: string, key: CoreKey): string[] {
  return Array.from({ length: MAX_STORES }, (_, slot) => deriveId(id, nameOf(key, slot)))
}

async function moveAside(storage: string, { onStatus }: Pick<NodeOptions, 'onStatus'>): Promise<void> {
  if (!(await isThere(storage))) return
  const aside = `${storage}.damaged-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  await rename(storage, aside)
  onStatus?.({ state: 'rebuilding', aside })
}

async function remove(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}

function nameOf(key: CoreKey, slot: number): string {
  return slot === 0 ? key : `${key}.${slot}`
}

function lockOf(directory: string, key: CoreKey, slot: number): string {
  return `${storeOf(directory, key, slot)}.lock`
}

/** The result of `work`. Its errors name the directory. */
async function orRefused<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code, message } = translate(error)
    const known = code === 'STORE_FULL' || code === 'STORE_IN_USE' ? code : 'STORE_REFUSED'
    throw new NodeError(known, `${directory}: ${message}`, { cause: error })
  }
}
