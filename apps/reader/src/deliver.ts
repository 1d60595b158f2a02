import {
  codeOf,
  ignore,
  messageOf,
  openProgramNode,
  type RunContext,
  resolvePath,
  storageOf
} from '@many-cores/cli'
import { type Batch, type Cursor, openReader, type Position, type Reader } from '@many-cores/node'
import { createPaint, hasColors } from './colors.ts'
import { selectCores } from './cores.ts'
import { openFileSink } from './file-sink.ts'
import { createTemplateFormat, createTextFormat, type Format, formatJson, formatRaw } from './format.ts'
import type { ReadValues } from './options.ts'
import type { From } from './position.ts'
import { freeBytes, waitForSpace } from './recover.ts'
import { createStdoutSink, type Sink } from './sink.ts'

/**
 * Delivers the log of `key` until the options end it or the signal is aborted. Waits while the disk is full. Rebuilds a damaged
 * store from peers.
 */
export async function deliverLog(key: string, values: ReadValues, context: RunContext): Promise<void> {
  if (values.count === 0) return
  const delivery = new Delivery(values, context)
  const storage = storageOf(values, context)
  let [rebuild, wasRebuilt] = [false, false]
  while (true) {
    try {
      return await delivery.run(key, rebuild)
    } catch (error) {
      // the rest of a count is unknown here
      if (context.signal.aborted || values.count !== undefined) throw error
      const code = codeOf(error)
      rebuild = false
      if (code === 'STORE_FULL') await waitForSpace(storage, context, messageOf(error))
      else if (code === 'STORE_DAMAGED' && !wasRebuilt) {
        context.status.note(messageOf(error))
        rebuild = wasRebuilt = true
      } else throw error
    }
  }
}

/** A delivery that can continue with a store that is opened again. */
class Delivery {
  readonly #values: ReadValues
  readonly #context: RunContext
  /** The position after the last printed line. */
  #position: Position | null = null

  constructor(values: ReadValues, context: RunContext) {
    this.#values = values
    this.#context = context
  }

  async run(key: string, rebuild: boolean): Promise<void> {
    const { signal } = this.#context
    const { until, exit, count } = this.#values
    const timeout = this.#values.timeout * 1000
    const node = await openProgramNode(this.#values, this.#context, { key, rebuild })
    try {
      const reader = await openReader(node, key, { timeout, signal })
      const names = reader.manifest.cores.map((core) => core.name)
      const cores = selectCores(names, this.#values)
      const sink = await this.#openSink(reader, timeout)
      try {
        const batches = reader.batches({
          from: sink.from,
          live: !exit,
          timeout,
          signal,
          ...(until !== undefined && { until }),
          ...(cores !== undefined && { cores })
        })
        for await (const batch of limited(batches, count)) await sink.write(batch)
      } catch (error) {
        await sink.close().catch(ignore)
        throw error
      }
      await sink.close()
    } finally {
      // a full or damaged store may fail to close: the user needs the first error
      await node.close().catch(ignore)
    }
  }

  async #openSink(reader: Reader, timeout: number): Promise<Sink> {
    const { output, group = 'default' } = this.#values
    const { signal, env, print } = this.#context
    const format = formatOf(reader, this.#values, this.#context)
    const from = fromOf(this.#values)
    if (output !== undefined)
      return openFileSink(reader, { path: resolvePath(output, env), group, format, from, timeout, signal })
    const cursor = await reader.cursor(group)
    const isOurs = await this.#claim(cursor)
    // printing continues only after the position is stored
    if (this.#position !== null && isOurs) await cursor.commit(this.#position)
    return createStdoutSink(print, format, {
      cursor: isOurs ? cursor : { position: cursor.position, commit: async () => {} },
      from: this.#position ?? from,
      space: () => freeBytes(storageOf(this.#values, this.#context)),
      signal,
      onDelivered: (position) => {
        this.#position = position
      }
    })
  }

  /** Whether this process moves the cursor. If another one does, that is an error only if its group was asked for by name. */
  async #claim(cursor: Cursor): Promise<boolean> {
    try {
      await cursor.lock()
      return true
    } catch (error) {
      if (codeOf(error) !== 'STORE_IN_USE' || !(error instanceof Error)) throw error
      if (this.#values.group !== undefined) {
        error.message += '. Stop it, or use another --group'
        throw error
      }
      this.#context.status.note(`${error.message}: starting there, without moving it`)
      return false
    }
  }
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
