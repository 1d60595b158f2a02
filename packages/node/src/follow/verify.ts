import type { JournalRecord, LogManifest } from '@many-cores/protocol'
import type Hypercore from 'hypercore'
import { NodeError } from '../errors.ts'
import type { Verification } from '../verification.ts'
import type { Wait } from '../waiting.ts'
import type { Patience } from './blocks.ts'
import type { ReadableLog } from './log.ts'
import { followOrdered } from './ordered.ts'
import { refresh } from './refresh.ts'

interface VerifyContext extends Patience, Wait {
  readonly onProgress?: (lines: number) => void
}

/** See `Reader.verify`. If the signal aborts, what it returns means nothing. */
export async function verify(log: ReadableLog<LogManifest>, context: VerifyContext): Promise<Verification> {
  const tally = new Tally(log.manifest)
  const reached = await refresh([log.bootstrap], context)
  await verifyFrom(log, context, tally)
  const cores = log.manifest.cores.map((_, index) => log.openCore(index))
  await Promise.all(cores.map((core) => core.ready()))
  // without a peer it is no fault that blocks are here and their record is not: they travel each on their own
  if (reached) {
    await refresh([log.bootstrap, ...cores], context)
    const lengths = cores.map((core) => core.length)
    // the journal of a moment later names them all: a batch becomes visible as one
    await refresh([log.bootstrap], context)
    await verifyFrom(log, context, tally)
    if (!context.signal.aborted) refuseExtra(log, lengths, tally)
  }
  await auditAll(log, cores, context.signal)
  return { ...tally.total(), reached }
}

/** Verifies what lies behind what was counted, as far as the journal is known. */
async function verifyFrom(
  log: ReadableLog<LogManifest>,
  context: VerifyContext,
  tally: Tally
): Promise<void> {
  const batches = followOrdered(log, {
    ...context,
    from: tally.lines,
    until: null,
    live: false,
    wants: () => true,
    onRecord: (record) => tally.count(record)
  })
  for await (const batch of batches) {
    tally.lines += batch.count
    tally.bytes += batch.byteLength
    context.onProgress?.(tally.lines)
  }
}

/** What the journal names. */
class Tally {
  lines = 0
  bytes = 0
  readonly #manifest: LogManifest
  #batches = 0
  #blocks = 0
  readonly #ends = new Map<number, number>()

  constructor(manifest: LogManifest) {
    this.#manifest = manifest
  }

  count({ seq, at }: JournalRecord): void {
    this.#batches++
    for (const [core, length, blocks] of at) {
      if (length !== this.end(core)) {
        throw new NodeError(
          'INTEGRITY',
          `core ${this.#manifest.cores[core]?.name} has ${this.end(core)} blocks before position ${seq}, not ${length} as its record says`
        )
      }
      this.#ends.set(core, length + blocks)
      this.#blocks += blocks
    }
  }

  /** How many blocks of this core. */
  end(core: number): number {
    return this.#ends.get(core) ?? 0
  }

  total(): Omit<Verification, 'reached'> {
    return { lines: this.lines, batches: this.#batches, blocks: this.#blocks, bytes: this.bytes }
  }
}

function refuseExtra({ manifest }: ReadableLog<LogManifest>, lengths: readonly number[], tally: Tally): void {
  for (const [core, length] of lengths.entries()) {
    const end = tally.end(core)
    if (length <= end) continue
    throw new NodeError(
      'INTEGRITY',
      `core ${manifest.cores[core]?.name} has ${length} blocks, but the journal names ${end}: block ${end} belongs to no position up to ${tally.lines}, the end of the log`
    )
  }
}

/** Hypercore checks blocks as they arrive, not as they are read again: what the disk did to them meanwhile shows here. */
async function auditAll(
  { bootstrap, manifest }: ReadableLog<LogManifest>,
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
