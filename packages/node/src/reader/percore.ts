import type { TutorialManifest } from '@many-cores/protocol'
import type { Batch, Entry, Position } from './batch.ts'
import { awaitBlock, Blocks, endOf } from './blocks.ts'
import type { PerCoreBound } from './bound.ts'
import { merge } from './merge.ts'
import type { FollowContext } from './ordered.ts'
import type { ReadableLog } from './readable-log.ts'
import { WINDOW_BYTES, Window } from './window.ts'

/** Blocks of one core that are expected ahead; its window says which of them are asked for. */
const BLOCKS_AHEAD = 64

export interface PerCoreContext extends Omit<FollowContext, 'from' | 'until'> {
  /** Where to begin in each core, by name; a core that is not named begins at 0. Or the end of all. */
  readonly from: PerCoreBound
  /** Before which block to end in each core; one that is not named has no end. */
  readonly until: PerCoreBound | null
}

/**
 * Follows a log without a journal: each core in its own order, the cores beside each other, as blocks arrive. The window is
 * shared out evenly, so that a core whose next block does not come holds up no other.
 */
export async function* followPerCore(
  log: ReadableLog<TutorialManifest>,
  context: PerCoreContext
): AsyncGenerator<Batch, void, undefined> {
  if (context.signal.aborted) return
  const wanted = log.manifest.cores.map((_, index) => index).filter(context.wants)
  const cores = wanted.map((index) => new Blocks(log.manifest.cores[index]?.name ?? '', log.openCore(index)))
  const close = async (): Promise<void> => void (await Promise.all(cores.map((core) => core.close())))
  const stop = (): void => void close()
  context.signal.addEventListener('abort', stop, { once: true })
  try {
    await Promise.all(cores.map((core) => core.ready()))
    const next: Record<string, number> = {}
    for (const core of cores)
      next[core.name] = context.from === 'end' ? core.length : (context.from[core.name] ?? 0)
    const window = WINDOW_BYTES / cores.length
    const sources = cores.map((core) =>
      followBlocks(core, new Window(window), { ...context, from: next[core.name] ?? 0 })
    )
    const keys = new Map(log.manifest.cores.map((core) => [core.name, core.key]))
    for await (const { name, index, block } of merge(sources, {
      // the windows read ahead
      weight: () => 1,
      limit: () => 1
    })) {
      next[name] = index + 1
      yield new BlockBatch(
        { position: null, line: block, core: name, key: keys.get(name) as Entry['key'], index, time: null },
        { ...next }
      )
    }
  } catch (error) {
    endOf(error, context.signal)
  } finally {
    context.signal.removeEventListener('abort', stop)
    await close()
  }
}

interface CoreBlock {
  readonly name: string
  readonly index: number
  readonly block: Uint8Array
}

async function* followBlocks(
  core: Blocks,
  window: Window,
  { from, live, until, ...patience }: Omit<PerCoreContext, 'from'> & { readonly from: number }
): AsyncGenerator<CoreBlock, void, undefined> {
  const there = live && until !== 'end' ? Number.POSITIVE_INFINITY : core.length
  const end = typeof until === 'string' ? there : Math.min(there, until?.[core.name] ?? there)
  const expected: Promise<Uint8Array>[] = []
  for (let index = from; index < end; index++) {
    // one more than exists, so that the next one comes without a round trip
    const ahead = Math.min(end - index, Math.max(1, core.length + 1 - index), BLOCKS_AHEAD)
    while (expected.length < ahead) expected.push(window.expect(core, index + expected.length))
    const coming = expected.shift() as Promise<Uint8Array>
    const block = await (index < core.length ? awaitBlock(coming, core.name, index, patience) : coming)
    window.release(block.byteLength)
    yield { name: core.name, index, block }
  }
}

/** A block of a tutorial log: one entry. */
class BlockBatch implements Batch {
  readonly count = 1
  readonly position = null
  readonly time = null
  readonly next: Position
  readonly #entry: Entry

  constructor(entry: Entry, next: Position) {
    this.#entry = entry
    this.next = next
  }

  get byteLength(): number {
    return this.#entry.line.byteLength
  }

  bytes(): Uint8Array {
    return this.#entry.line
  }

  slice(): Batch {
    return this
  }

  *[Symbol.iterator](): Iterator<Entry> {
    yield this.#entry
  }
}
