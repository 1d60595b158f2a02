import {
  type BootstrapManifest,
  type CoreKey,
  type DataCore,
  keyToBytes,
  type LogManifest
} from '@many-cores/protocol'
import type Corestore from 'corestore'
import type Hypercore from 'hypercore'

/** A log to read: its bootstrap core, and its data cores, each opened when it is first needed. */
export interface ReadableLog<Manifest extends BootstrapManifest = BootstrapManifest> {
  readonly key: CoreKey
  readonly bootstrap: Hypercore
  readonly manifest: Manifest
  openCore(index: number): Hypercore
  close(): Promise<void>
}

/** The log with this bootstrap core and manifest. It owns `bootstrap` and every core that it opens. */
export function createReadableLog(
  store: Corestore,
  key: CoreKey,
  bootstrap: Hypercore,
  manifest: BootstrapManifest
): ReadableLog {
  const cores = new Map<number, Hypercore>()
  return {
    key,
    bootstrap,
    manifest,
    openCore: (index) => {
      const core = cores.get(index) ?? store.get({ key: keyToBytes((manifest.cores[index] as DataCore).key) })
      cores.set(index, core)
      return core
    },
    close: async () => {
      await Promise.all([bootstrap, ...cores.values()].map((core) => core.close()))
    }
  }
}

/** Whether the log has a journal, which a tutorial log does not. */
export function hasJournal(log: ReadableLog): log is ReadableLog<LogManifest> {
  return log.manifest.version === 1
}
