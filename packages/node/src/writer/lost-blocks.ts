import type { JournalRecord, LogManifest, LostRange } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { decodeRecord } from '../follow/record.ts'

/** What the journal says is lost: nobody need have it. */
export interface LostBlocks {
  readonly journal: readonly LostRange[]
  /** Of each data core. */
  readonly cores: ReadonlyMap<number, readonly LostRange[]>
}

type ReadRecord = (index: number) => Promise<JournalRecord | null>

/** The block of the newest loss record, as far as the journal that is here names it; null if it names none. */
export async function readLoss(bootstrap: Hypercore, manifest: LogManifest): Promise<number | null> {
  const read = reads(bootstrap, manifest)
  for (let index = bootstrap.length - 1; index > 0; index--) {
    const record = await read(index)
    if (record !== null) return record.lost === undefined ? (record.loss ?? null) : index
  }
  return null
}

/** What the part of the journal that is here says. */
export async function readLostBlocks(bootstrap: Hypercore, manifest: LogManifest): Promise<LostBlocks> {
  const read = reads(bootstrap, manifest)
  const loss = await readLoss(bootstrap, manifest)
  const journal = (loss === null ? null : await read(loss))?.lost ?? []
  const cores = new Map<number, LostRange[]>()
  for (const [, block] of journal) {
    for (const [core, length, blocks] of (await read(block))?.at ?? [])
      cores.set(core, [...(cores.get(core) ?? []), [length, length + blocks]])
  }
  return { journal, cores }
}

function reads(bootstrap: Hypercore, manifest: LogManifest): ReadRecord {
  return async (index) => {
    const block = await bootstrap.get(index, { wait: false })
    return block === null ? null : decodeRecord(block, index, manifest)
  }
}
