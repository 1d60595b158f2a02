import {
  codeOf,
  ignore,
  messageOf,
  openProgramNode,
  type RunContext,
  resolvePath,
  storageOf
} from '@many-cores/cli'
import {
  type Batch,
  type Cursor,
  type FollowOptions,
  openReader,
  type Position,
  type Reader
} from '@many-cores/node'
import { createPaint, hasColors } from './colors.ts'
import { selectCores } from './cores.ts'
import { openFileSink } from './file-sink.ts'
import { createTemplateFormat, createTextFormat, type Format, formatJson, formatRaw } from './format.ts'
import type { ReadValues } from './options.ts'
import type { From } from './position.ts'
import { freeBytes, moveAside, waitForSpace } from './recover.ts'
import { createStdoutSink, type Sink } from './sink.ts'

/**
 * Delivers the log of `key` until the options end it or the signal is aborted. Waits while the disk is full. Rebuilds a damaged
 * store from peers.
 */
export async function deliverLog(key: string, values: ReadValues, context: RunContext): Promise<void> {
  if (values.count === 0) return
  const delivery: Delivery = { position: null, cursors: [], isRebuilt: false }
  const storage = storageOf(values, context)
  while (true) {
    try {
      return await deliver(key, { values, delivery }, context)
    } catch (error) {
      // the rest of a count is unknown here
      if (context.signal.aborted || values.count !== undefined) throw error
      const code = codeOf(error)
      if (code === 'STORE_FULL') await waitForSpace(storage, context, messageOf(error))
      else if (code === 'STORE_DAMAGED' && !delivery.isRebuilt) {
        delivery.isRebuilt = true
        if (!(await moveAside(storage, context, messageOf(error)))) throw error
      } else throw error
    }
  }
}

/** The state that survives a rebuild of the store. */
interface Delivery {
  /** The position after the last printed line. */
  position: Position | null
  /** The cursors that were readable in the damaged store. */
  cursors: readonly Cursor[]
  isRebuilt: boolean
}

interface Attempt {
  readonly values: ReadValues
  readonly delivery: Delivery
}

async function deliver(key: string, { values, delivery }: Attempt, context: RunContext): Promise<void> {
  const { signal } = context
  const { until, exit } = values
  const timeout = values.timeout * 1000
  const node = await openProgramNode(values, context)
  try {
    const reader = await openReader(node, key, { timeout, signal })
    await restore(reader, { values, delivery }, context)
    const names = reader.manifest.cores.map((core) => core.name)
    const cores = selectCores(names, values)
    const sink = await openSink(reader, { values, delivery }, context)
    try {
      const batches = reader.batches({
        from: sink.from,
        live: !exit,
        timeout,
        signal,
        ...(until !== undefined && { until }),
        ...(cores !== undefined && { cores })
      } satisfies FollowOptions)
      for await (const batch of limited(batches, values.count)) await sink.write(batch)
    } catch (error) {
      if (codeOf(error) === 'STORE_DAMAGED') delivery.cursors = await reader.cursors().catch(() => [])
      await sink.close().catch(ignore)
      throw error
    }
    await sink.close()
  } finally {
    // a full or damaged store may fail to close: the user needs the first error
    await node.close().catch(ignore)
  }
}

/** Copies the readable cursors of the damaged store to the rebuilt one. */
async function restore(reader: Reader, { values, delivery }: Attempt, { status }: RunContext): Promise<void> {
  if (!delivery.isRebuilt) return
  for (const { name, position, state } of delivery.cursors)
    if (position !== null) await (await reader.cursor(name)).commit(position, state ?? undefined)
  const isPositionLost = delivery.position === null && delivery.cursors.length === 0
  if (isPositionLost && values.output === undefined && fromOf(values) === 'stored')
    status.note('the position is lost too: starting from the beginning, so lines are delivered again')
  delivery.cursors = []
}

async function openSink(reader: Reader, { values, delivery }: Attempt, context: RunContext): Promise<Sink> {
  const { output, group, timeout } = values
  const format = formatOf(reader, values, context)
  const from = fromOf(values)
  if (output === undefined) {
    const cursor = await reader.cursor(group)
    // printing continues only after the position is stored
    if (delivery.position !== null) await cursor.commit(delivery.position)
    return createStdoutSink(context.print, format, {
      cursor,
      from: delivery.position ?? from,
      space: () => freeBytes(storageOf(values, context)),
      signal: context.signal,
      onDelivered: (position) => {
        delivery.position = position
      }
    })
  }
  return await openFileSink(reader, {
    path: resolvePath(output, context.env),
    group,
    format,
    from,
    timeout: timeout * 1000,
    signal: context.signal
  })
}

function fromOf({ from, tail, since }: ReadValues): From {
  if (tail !== undefined) return tail === 0 ? 'end' : -tail
  return since ?? from ?? 'stored'
}

function formatOf({ key, manifest }: Reader, values: ReadValues, { stdout, env }: RunContext): Format {
  const { raw, json, text, format, output } = values
  const names = manifest.cores.map((core) => core.name)
  if (format !== undefined)
    return createTemplateFormat(format, { key, indexes: new Map(names.map((name, index) => [name, index])) })
  if (json) return formatJson
  if (raw || (output !== undefined && !text)) return formatRaw
  const isTerminal = 'isTTY' in stdout && stdout.isTTY === true
  return createTextFormat(output === undefined && hasColors(isTerminal, env) ? createPaint(names) : null)
}

/** The first `count` lines. */
async function* limited(batches: AsyncIterable<Batch>, count: number | undefined): AsyncGenerator<Batch> {
  let left = count ?? Number.POSITIVE_INFINITY
  for await (const batch of batches) {
    yield left < batch.count ? batch.slice(0, left) : batch
    left -= batch.count
    if (left <= 0) return
  }
}
