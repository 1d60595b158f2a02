import {
  codeOf,
  ignore,
  messageOf,
  openProgramNode,
  type RunContext,
  resolvePath,
  storageOf
} from '@many-cores/cli'
import { type Batch, type Cursor, type Position, type Reader, storedLength } from '@many-cores/node'
import { createPaint, hasColors } from './colors.ts'
import { describeCores, selectCores } from './cores.ts'
import { openFileSink } from './file-sink.ts'
import {
  createTemplateFormat,
  createTextFormat,
  type Format,
  formatJson,
  formatRaw,
  formatTutorial
} from './format.ts'
import { openLog } from './open-log.ts'
import type { ReadValues } from './options.ts'
import { freeBytes, waitForSpace } from './recover.ts'
import { createStdoutSink, type Sink } from './sink.ts'
import { checkCursor, explainNothing, fromOf, movesCursor, reportStart, reportWait } from './start.ts'
import type { Tally } from './tally.ts'

/**
 * Delivers the log of `key` until the options end it or the signal is aborted. Waits while the disk is full. Rebuilds a damaged
 * store from peers.
 */
export async function deliverLog(
  key: string,
  values: ReadValues,
  context: RunContext,
  tally: Tally
): Promise<void> {
  if (values.count === 0) return
  // no data appears on the terminal
  if (values.output !== undefined) context.status.shared = false
  const delivery = new Delivery(values, context, tally)
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
  readonly #tally: Tally
  /** The position after the last printed line. */
  #position: Position | null = null

  constructor(values: ReadValues, context: RunContext, tally: Tally) {
    this.#values = values
    this.#context = context
    this.#tally = tally
  }

  async run(key: string, rebuild: boolean): Promise<void> {
    const { signal, status } = this.#context
    const { until, exit, count } = this.#values
    const timeout = this.#values.timeout * 1000
    const node = await openProgramNode(this.#values, this.#context, { key, rebuild })
    const endWait = reportWait(node, { values: this.#values, status })
    try {
      const reader = await openLog(node, key, { timeout, signal })
      const names = reader.manifest.cores.map((core) => core.name)
      const cores = selectCores(names, this.#values)
      const sink = await this.#openSink(reader, cores, timeout)
      let isEmpty = true
      try {
        reportStart(reader, sink, { values: this.#values, status, signal })
        const batches = reader.batches({
          from: sink.from,
          live: !exit,
          timeout,
          signal,
          ...(until !== undefined && { until }),
          ...(cores !== undefined && { cores })
        })
        for await (const batch of limited(batches, count)) {
          isEmpty = false
          endWait()
          await sink.write(batch)
        }
      } catch (error) {
        await sink.close().catch(ignore)
        throw error
      }
      await sink.close()
      if (isEmpty && !signal.aborted) {
        const length = await storedLength(node, key)
        explainNothing(sink, length, { values: this.#values, status, signal })
      }
    } finally {
      endWait()
      // a full or damaged store may fail to close: the user needs the first error
      await node.close().catch(ignore)
    }
  }

  async #openSink(reader: Reader, cores: readonly string[] | undefined, timeout: number): Promise<Sink> {
    const { output, group } = this.#values
    const { signal, env, print, status } = this.#context
    const format = this.#tally.counting(formatOf(reader, this.#values, this.#context))
    const from = fromOf(this.#values)
    const names = reader.manifest.cores.map((core) => core.name)
    const state = { cores: describeCores(names, cores) }
    if (output !== undefined)
      return openFileSink(reader, {
        path: resolvePath(output, env),
        group: group ?? 'default',
        format,
        content: { ...state, format: formatName(this.#values) },
        from,
        cores,
        note: (text) => status.note(text),
        timeout,
        signal
      })
    const cursor = movesCursor(this.#values) || from === 'stored' ? await reader.cursor(group) : null
    const moves = cursor !== null && movesCursor(this.#values) && (await this.#claim(cursor))
    if (cursor !== null && moves) checkCursor(cursor, state.cores)
    // printing continues only after the position is stored
    if (cursor !== null && moves && this.#position !== null) await cursor.commit(this.#position, state)
    const stored = from === 'stored' ? (cursor?.position ?? null) : null
    const begin = from === 'stored' ? (stored ?? 'start') : from
    return createStdoutSink(print, format, {
      cursor: moves ? cursor : null,
      state,
      from: this.#position ?? begin,
      isResumed: stored !== null && this.#position === null,
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

function formatOf({ key, manifest }: Reader, values: ReadValues, { stdout, env }: RunContext): Format {
  const { raw, json, text, format, output } = values
  const names = manifest.cores.map((core) => core.name)
  if (format !== undefined)
    return createTemplateFormat(format.template, {
      key,
      indexes: new Map(names.map((name, index) => [name, index]))
    })
  if (json) return formatJson
  if (raw || (output !== undefined && !text)) return formatRaw
  const isTerminal = output === undefined && 'isTTY' in stdout && stdout.isTTY === true
  if (!text && !isTerminal) return formatTutorial
  return createTextFormat(
    names,
    output === undefined && hasColors(isTerminal, env) ? createPaint(names) : null
  )
}

/** The form of a line in a file, in words. */
function formatName({ json, text, format }: ReadValues): string {
  if (format !== undefined) return `--format ${JSON.stringify(format.text)}`
  if (json) return '--json'
  return text ? '--text' : '--raw'
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
