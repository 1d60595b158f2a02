import type Corestore from 'corestore'
import { NodeError, translate } from '../errors.ts'
import { Reporter } from '../reporter.ts'
import type { WalSync } from './wal-sync.ts'

/**
 * Reports the first failed write or sync of the store, and the first failure to store what peers send. Hypercore 11.37 treats a full
 * disk as a fault of the peer: it requests nothing more from that peer, and reports nothing.
 */
export class StorageFaults extends Reporter<NodeError> {
  readonly #directory: string
  #hasFailed = false

  constructor(store: Corestore, wal: WalSync) {
    super()
    this.#directory = store.storage.path
    wal.onFault = (error) => this.#check(error)
    store.watch((core) => {
      const verify = core.verify.bind(core)
      core.verify = (proof, from) =>
        verify(proof, from).catch((error: unknown) => {
          this.#check(error)
          throw error
        })
    })
  }

  #check(cause: unknown): void {
    const fault = translate(cause)
    if (this.#hasFailed || fault.name !== 'NodeError' || !STORAGE.has(fault.code)) return
    this.#hasFailed = true
    this.report(new NodeError(fault.code, `${this.#directory}: ${fault.message}`, { cause }))
  }
}

const STORAGE: ReadonlySet<string> = new Set(['STORE_FULL', 'STORE_DAMAGED', 'STORE_REFUSED'])
