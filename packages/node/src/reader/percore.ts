import type { DataCore } from '@many-cores/protocol'
import { translate } from '../errors.ts'
import type { Batch, Entry, Position } from './batch.ts'
import { awaitBlock, Blocks } from './blocks.ts'
import type { PerCoreBound } from './bound.ts'
import { merge } from './merge.ts'
import type { FollowContext } from './ordered.ts'
import type { ReadableLog } from './readable-log.ts'
import { WINDOW_BYTES, Window } from './window.ts'

/** Blocks of one core that are requested from its window, which decides when to read them. */
const BLOCKS_AHEAD = 64

export interface PerCoreContext extends Omit<FollowContext, 'from' | 'until'> {
  /** Where to begin: the next block of each core, by name, 0 for other cores; or the end of all cores. */
  readonly from: PerCoreBound
  /** The block to end before in each core, by name; other cores have none. Null: no end. */
  readonly until: PerCoreBound | null
}

/**
 * Follows a log without a journal: each core in its own order, blocks of different cores as they arrive. The cores share the
 * window in equal parts, so that a missing block of one core delays no other.
 */
export async function* followPerCore(
  log: ReadableLog,
  context: PerCoreContext
): AsyncGenerator<Batch, void, undefined> {
  const { signal, from, wants } = context
  if (signal.aborted) return
  const cores = log.manifest.cores.flatMap((core, index) =>
    wants(index) ? [{ core, blocks: new Blocks(core.name, log.openCore(index)) }] : []
  )
  const close = async (): Promise<void> => void (await Promise.all(cores.map(({ blocks }) => blocks.close())))
  const stop = (): void => void close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    await Promise.all(cores.map(({ blocks }) => blocks.ready()))
    const next: Record<string, number> = {}
    const sources = cores.map(({ core, blocks }) => {
      const begin = from === 'end' ? blocks.length : (from[core.name] ?? 0)
      next[core.name] = begin
      return followCore(core, { blocks, begin, window: new Window(WINDOW_BYTES / cores.length) }, context)
    })
    // a limit of 1: the windows read ahead
    for await (const entry of merge(sources)) {
      next[entry.core] = entry.index + 1
      yield blockBatch(entry, { ...next })
    }
  } catch (error) {
    if (!signal.aborted) throw translate(error)
  } finally {
    signal.removeEventListener('abort', stop)
    await close()
  }
}

interface CoreSource {
  readonly blocks: Blocks
  readonly window: Window
  readonly begin: number
}

async function* followCore(
  { name, key }: DataCore,
  { blocks, window, begin }: CoreSource,
  context: PerCoreContext
): AsyncGenerator<Entry, void, undefined> {
  const { live, until } = context
  const last = live && until !== 'end' ? Number.POSITIVE_INFINITY : blocks.length
  const end = until === null || until === 'end' ? last : Math.min(last, until[name] ?? last)
  const requested: Promise<Uint8Array>[] = []
  for (let index = begin; index < end; index++) {
    // one more than exists, so that the next block arrives without a round trip
    const ahead = Math.min(end - index, Math.max(1, blocks.length + 1 - index), BLOCKS_AHEAD)
    while (requested.length < ahead) requested.push(window.request(blocks, index + requested.length))
    const next = requested.shift() as Promise<Uint8Array>
    const line = await (index < blocks.length ? awaitBlock(next, blocks, index, context) : next)
    window.release(line.byteLength)
    yield { position: null, line, core: name, key, index, time: null }
  }
}

/** A block of a tutorial log, as a batch of one line. */
function blockBatch(entry: Entry, next: Position): Batch {
  const { line, position, time } = entry
  const batch: Batch = {
    count: 1,
    position,
    time,
    next,
    byteLength: line.byteLength,
    bytes: () => line,
    slice: () => batch,
    [Symbol.iterator]: () => [entry].values()
  }
  return batch
}
