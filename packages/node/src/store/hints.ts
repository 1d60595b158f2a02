import type Corestore from 'corestore'
import type { SharedCore } from 'hypercore'
import { ignore } from '../errors.ts'

/** Hints that change within this time are written together. */
const HINTS_MS = 100

/**
 * Delays and groups the writes of hints, for all cores that are opened from now on.
 *
 * Hints say how complete a core is, locally and at its peers. hypercore 11.37.1 writes them after each block and each message from a
 * peer about its blocks, and returns no block before: a third of all writes for a typed line. Losing them is harmless: a core counts
 * its blocks again when it is opened.
 */
export function deferHints(store: Corestore): void {
  const changed = new Map<SharedCore, () => Promise<void>>()
  const flushAll = (): void => {
    const due = [...changed]
    changed.clear()
    // `WalSync` reports a failed write
    for (const [core, flush] of due) if (core.closing === null) flush().catch(ignore)
  }
  store.watch((core) => {
    const flush = core.flushHints.bind(core)
    core.flushHints = () => {
      if (changed.size === 0) setTimeout(flushAll, HINTS_MS).unref()
      changed.set(core, flush)
      return Promise.resolve()
    }
  })
}
