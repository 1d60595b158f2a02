import type Corestore from 'corestore'
import { type NodeError, translate } from '../errors.ts'
import type { WalSync } from './wal-sync.ts'

/**
 * Watches whether what peers send can be stored. Hypercore 11.37 takes a full disk for a peer's fault: it asks that peer for
 * nothing any more, and tells nobody.
 */
export class StorageFaults {
  #found: NodeError | null = null
  readonly #listeners = new Set<(fault: NodeError) => void>()

  constructor(store: Corestore, wal: WalSync) {
    wal.watch((fault) => this.#judge(fault))
    store.watch((core) => {
      const verify = core.verify.bind(core)
      core.verify = (proof, from) =>
        verify(proof, from).catch((error: unknown) => {
          this.#judge(error)
          throw error
        })
    })
  }

  /** Tells of the first fault, at once if there was one; returns what ends it. */
  watch(listener: (fault: NodeError) => void): () => void {
    this.#listeners.add(listener)
    if (this.#found !== null) listener(this.#found)
    return () => void this.#listeners.delete(listener)
  }

  #judge(error: unknown): void {
    const fault = translate(error)
    if (this.#found !== null || fault.name !== 'NodeError' || !STORAGE.has(fault.code)) return
    this.#found = fault
    for (const listener of this.#listeners) listener(fault)
  }
}

const STORAGE: ReadonlySet<string> = new Set(['STORE_FULL', 'STORE_DAMAGED', 'STORE_REFUSED'])
