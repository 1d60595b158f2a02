import type { BootstrapManifest, CoreKey } from '@many-cores/protocol'
import type { NodeError } from './errors.ts'
import { forkError } from './integrity/history.ts'
import type { Internals } from './internals.ts'

/** Called with a fault that makes the log unusable. `isOld`: an earlier run found it. */
export type OnFault = (fault: NodeError, isOld: boolean) => void

/**
 * Watches the cores of a log: reports damaged blocks as statuses, forks and a store that cannot be written as faults. Without a
 * manifest, it watches the bootstrap core alone. Returns the function that ends it.
 */
export function watchLog(
  { damage, faults, history, onStatus }: Internals,
  { key, manifest }: { readonly key: CoreKey; readonly manifest: BootstrapManifest | null },
  onFault: OnFault
): () => void {
  const names = new Map<CoreKey, string>([[key, 'bootstrap']])
  for (const core of manifest?.cores ?? []) names.set(core.key, core.name)
  const ends = [
    faults.watch((fault) => onFault(fault, false)),
    history.watch((fork) => {
      const name = names.get(fork.key)
      if (name !== undefined) onFault(forkError(name, fork), fork.isOld)
    })
  ]
  if (manifest !== null)
    ends.push(
      damage.watch(({ key, index, isRepaired }) => {
        const core = names.get(key)
        if (core !== undefined) onStatus({ state: isRepaired ? 'repaired' : 'damaged', core, index })
      })
    )
  return () => {
    for (const end of ends) end()
  }
}
