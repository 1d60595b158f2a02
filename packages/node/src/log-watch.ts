import type { BootstrapManifest, CoreKey } from '@many-cores/protocol'
import type { NodeError } from './errors.ts'
import { rewritten } from './integrity/history.ts'
import type { Internals } from './internals.ts'

/** What makes a log unusable; `isOld` where it was found before this start. */
export type OnFault = (fault: NodeError, isOld: boolean) => void

/**
 * Tells of what happens to the cores of a log: of damage as a status, of two histories and of a store that cannot be written as
 * faults. Without a manifest, of its bootstrap core alone. Returns what ends it.
 */
export function watchLog(
  { damage, faults, history, onStatus }: Internals,
  { key, manifest }: { readonly key: CoreKey; readonly manifest: BootstrapManifest | null },
  onfault: OnFault
): () => void {
  const names = new Map<CoreKey, string>([[key, 'bootstrap']])
  for (const core of manifest?.cores ?? []) names.set(core.key, core.name)
  const ends = [
    faults.watch((fault) => onfault(fault, false)),
    history.watch((rewriting) => {
      const name = names.get(rewriting.key)
      if (name !== undefined) onfault(rewritten(name, rewriting), rewriting.isOld)
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
