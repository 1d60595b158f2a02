import { dirname, join } from 'node:path'
import { NodeError } from '../errors.ts'
import { makeDirectory, syncCreated } from './directory.ts'
import { nameHolder } from './holder.ts'
import { Lock } from './lock.ts'

/** The directory with the id and the cursors of a node: files that several processes can read, and that no damage to a store affects. */
export class Home {
  readonly directory: string
  readonly fsync: boolean
  readonly #locks = new Map<string, Promise<Lock>>()
  readonly #working = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(directory: string, fsync: boolean) {
    this.directory = directory
    this.fsync = fsync
  }

  path(...names: readonly string[]): string {
    return join(this.directory, ...names)
  }

  /** Locks the file at `path` until `close`. `what` names what it protects. Throws NodeError `STORE_IN_USE` if another home has it. */
  async lock(path: string, what: string): Promise<void> {
    const locking = this.#locks.get(path) ?? this.work(() => this.#acquire(path, what))
    this.#locks.set(path, locking)
    try {
      await locking
    } catch (error) {
      this.#locks.delete(path)
      throw error
    }
  }

  /** Calls `work`, which `close` waits for: no lock ends in the middle of it. Throws NodeError `CLOSED`. */
  async work<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new NodeError('CLOSED', 'the node is closed')
    const working = work()
    this.#working.add(working)
    try {
      return await working
    } finally {
      this.#working.delete(working)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#working)
    const locks = await Promise.all(this.#locks.values())
    this.#locks.clear()
    await Promise.all(locks.map((lock) => lock.release()))
  }

  async #acquire(path: string, what: string): Promise<Lock> {
    const directory = dirname(path)
    const made = await makeDirectory(directory)
    if (this.fsync && made !== undefined) await syncCreated(directory, made)
    const lock = await Lock.acquire(path)
    if (lock !== null) return lock
    throw new NodeError('STORE_IN_USE', `${what} is in use by ${await nameHolder(path)}`)
  }
}
