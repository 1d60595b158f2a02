import type Corestore from 'corestore'
import { type NodeError, translate } from '../errors.ts'
import { Reporter } from '../reporter.ts'
import type { WalSync } from './wal-sync.ts'

/**
 * Reports the first failure to store what peers send. Hypercore 11.37 treats a full disk as a fault of the peer: it requests
 * nothing more from that peer, and reports nothing.
 */
export class StorageFaults extends Reporter<NodeError> {
  #hasFailed = false

  constructor(store: Corestore, wal: WalSync) {
    super()
    wal.watch((fault) => this.#check(fault))
    store.watch((core) => {
      const verify = core.verify.bind(core)
      core.verify = (proof, from) =>
        verify(proof, from).catch((error: unknown) => {
          this.#check(error)
          throw error
        })
    })
  }

  #check(error: unknown): void {
    const fault = translate(error)
    if (this.#hasFailed || fault.name !== 'NodeError' || !STORAGE.has(fault.code)) return
    this.#hasFailed = true
    this.report(fault)
  }
}

const STORAGE: ReadonlySet<string> = new Set(['STORE_FULL', 'STORE_DAMAGED', 'STORE_REFUSED'])
