import type { JournalRecord, LogManifest } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { NodeError } from '../errors.ts'
import type { Wait } from '../waiting.ts'
import type { WaitOptions } from './blocks.ts'
import { followOrdered } from './ordered.ts'
import type { ReadableLog } from './readable-log.ts'
import type { Verification } from './reader.ts'
import { refresh } from './refresh.ts'

interface VerifyContext extends WaitOptions, Wait {
  readonly onProgress: ((lines: number) => void) | undefined
}

/** See `Reader.verify`. If the signal aborts, the result means nothing. */
export async function verify(log: ReadableLog<LogManifest>, context: VerifyContext): Promise<Verification> {
  const { bootstrap, manifest } = log
  const { signal, onProgress } = context
  const cores = manifest.cores.map((_, index) => log.openCore(index))
  await Promise.all(cores.map((core) => core.ready()))
  const reached = await refresh(bootstrap, cores, context)
  const lengths = cores.map((core) => core.length)
  // a batch becomes visible as one: the journal, read later, names all of these blocks
  if (reached) await refresh(bootstrap, [], context)
  const found = { lines: 0, batches: 0, blocks: 0, bytes: 0, reached }
  const ends = new Map<number, number>()
  const onRecord = ({ at }: JournalRecord): void => {
    found.batches++
    for (const [core, length, blocks] of at) {
      ends.set(core, length + blocks)
      found.blocks += blocks
    }
  }
  const all = { from: 0, until: null, live: false, wants: () => true, onRecord }
  for await (const batch of followOrdered(log, { ...context, ...all })) {
    found.lines += batch.count
    found.bytes += batch.byteLength
    onProgress?.(found.lines)
  }
  // without a peer, blocks without a record are not a fault: blocks and records arrive separately
  for (const [core, length] of lengths.entries()) {
    const end = ends.get(core) ?? 0
    if (!reached || signal.aborted || length <= end) continue
    throw new NodeError(
      'INTEGRITY',
      `core ${manifest.cores[core]?.name} has ${length} blocks, but the journal names ${end}: block ${end} is not part of the log, which ends at position ${found.lines}`
    )
  }
  await auditStorage(log, cores, signal)
  return found
}

/** Finds blocks that the disk has changed: Hypercore checks blocks when they arrive, not when they are read. */
async function auditStorage(
  { bootstrap, manifest }: ReadableLog,
  cores: readonly Hypercore[],
  signal: AbortSignal
): Promise<void> {
  const names = ['bootstrap', ...manifest.cores.map((core) => core.name)]
  for (const [index, core] of [bootstrap, ...cores].entries()) {
    if (signal.aborted) return
    const audit = await core.core.audit({ dryRun: true })
    if (audit !== null && audit.droppedBlocks + audit.droppedTreeNodes === 0 && !audit.corrupt) continue
    throw new NodeError(
      'INTEGRITY',
      `core ${names[index]}: ${audit?.droppedBlocks ?? 'some'} blocks in the store are not what the writer signed`
    )
  }
}
