import type Corestore from 'corestore'
import type { SharedCore } from 'hypercore'
import { ignore } from '../errors.ts'

/** What changes within this time is written in one go. */
const HINTS_MS = 100

/**
 * Writes the hints of cores that are opened from now on a while after they change, beside everything else.
 *
 * They say how far a core is complete, here and at its peers. hypercore 11.37.1 writes them after each block and each word of
 * a peer about what it has, and hands out no block before: a third of all writes of a line that is typed. Losing some costs
 * nothing: a core that is opened counts its blocks again.
 */
export function deferHints(store: Corestore): void {
  const changed = new Map<SharedCore, () => Promise<void>>()
  const flushAll = (): void => {
    const due = [...changed]
    changed.clear()
    // what cannot be written is no hint, and whoever writes blocks hears of the reason
    for (const [core, flush] of due) if (core.closing === null) flush().catch(ignore)
  }
  store.watch((core) => {
    const flush = core.flushHints.bind(core)
    core.flushHints = () => {
      if (changed.size === 0) setTimeout(flushAll, HINTS_MS).unref()
      changed.set(core, flush)
      return DEFERRED
    }
  })
}

const DEFERRED = Promise.resolve()
