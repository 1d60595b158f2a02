import type { TutorialManifest } from '@many-cores/protocol'
import type { Batch, Entry, Place } from '../batch.ts'
import type { PerCoreBound } from '../bound.ts'
import { awaitBlock, Blocks, endOf } from './blocks.ts'
import type { ReadableLog } from './log.ts'
import { merge } from './merge.ts'
import type { FollowContext } from './ordered.ts'

/** Blocks of a tutorial log that wait for the consumer, all cores together. */
const READ_AHEAD_BYTES = 16 * 1024 * 1024

/** Blocks of one core that are asked for ahead. The tutorial's are chunks of standard input, 64 KiB at most. */
const BLOCKS_AHEAD = 64

export interface PerCoreContext extends Omit<FollowContext, 'from' | 'until'> {
  /** Where to begin in each core, by name; a core that is not named begins at 0. Or the end of all. */
  readonly from: PerCoreBound
  /** Before which block to end in each core; one that is not named has no end. */
  readonly until: PerCoreBound | null
}

/** Follows a log without a journal: each core in its own order, the cores beside each other, as blocks arrive. */
export async function* followPerCore(
  log: ReadableLog<TutorialManifest>,
  context: PerCoreContext
): AsyncGenerator<Batch, void, undefined> {
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
    const sources = cores.map((core) => followBlocks(core, next[core.name] ?? 0, context))
    const keys = new Map(log.manifest.cores.map((core) => [core.name, core.key]))
    for await (const { name, index, block } of merge(sources, {
      weight: ({ block }) => block.byteLength,
      limit: () => READ_AHEAD_BYTES
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
  from: number,
  context: PerCoreContext
): AsyncGenerator<CoreBlock, void, undefined> {
  const { live, until } = context
  const there = live && until !== 'end' ? Number.POSITIVE_INFINITY : core.length
  const end = typeof until === 'string' ? there : Math.min(there, until?.[core.name] ?? there)
  for (let index = from; index < end; index++) {
    const last = Math.min(end, Math.max(index + 1, Math.min(core.length + 1, index + BLOCKS_AHEAD)))
    for (let ahead = index; ahead < last; ahead++) core.ask(ahead)
    const block = await (index < core.length
      ? awaitBlock(core.take(index), core.name, index, context)
      : core.take(index))
    yield { name: core.name, index, block }
  }
}

/** A block of a tutorial log: one entry. */
class BlockBatch implements Batch {
  readonly count = 1
  readonly position = null
  readonly time = null
  readonly next: Place
  readonly #entry: Entry

  constructor(entry: Entry, next: Place) {
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
