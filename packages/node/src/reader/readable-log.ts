import type { BootstrapManifest, CoreKey } from '@many-cores/protocol'
import { keyToBytes } from '@many-cores/protocol'
import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { NodeError } from '../errors.ts'

/** A log that is being read: its bootstrap core, and its data cores, opened when they are first needed. */
export interface ReadableLog<Manifest extends BootstrapManifest = BootstrapManifest> {
  readonly key: CoreKey
  readonly bootstrap: Hypercore
  readonly manifest: Manifest
  openCore(index: number): Hypercore
  close(): Promise<void>
}

/** The log of `bootstrap`, whose block 0 is `manifest`. Sessions that it opens are its own; `bootstrap` becomes so too. */
export function createReadableLog<Manifest extends BootstrapManifest>(
  store: Corestore,
  key: CoreKey,
  bootstrap: Hypercore,
  manifest: Manifest
): ReadableLog<Manifest> {
  const cores = new Map<number, Hypercore>()
  let isClosed = false
  return {
    key,
    bootstrap,
    manifest,
    openCore: (index) => {
      const open = cores.get(index)
      if (open !== undefined) return open
      const entry = manifest.cores[index]
      if (entry === undefined) throw new RangeError(`the log has no core ${index}`)
      // nothing would close it any more
      if (isClosed) throw new NodeError('CLOSED', 'the reader is closed')
      const core = store.get({ key: keyToBytes(entry.key) })
      cores.set(index, core)
      return core
    },
    close: async () => {
      isClosed = true
      await Promise.all([bootstrap, ...cores.values()].map((core) => core.close()))
    }
  }
}
