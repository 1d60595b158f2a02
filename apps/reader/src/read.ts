import { type RunContext, resolvePath } from '@many-cores/cli'
import { type Batch, type FollowOptions, openReader, type Reader } from '@many-cores/node'
import { createPaint, hasColors } from './colors.ts'
import { selectCores } from './cores.ts'
import { openFileSink } from './file-sink.ts'
import { createTemplateFormat, createTextFormat, type Format, formatJson, formatRaw } from './format.ts'
import { openReaderNode } from './open.ts'
import type { ReadValues } from './options.ts'
import type { From } from './place.ts'
import { createStdoutSink, type Sink } from './sink.ts'

/** Delivers the log of `key` until `signal`, or its end where the options name one. */
export async function read(key: string, values: ReadValues, context: RunContext): Promise<void> {
  const { signal } = context
  await using node = await openReaderNode(values, context)
  const timeout = values.timeout * 1000
  await using reader = await openReader(node, key, { timeout, signal })
  const cores = selectCores(
    reader.manifest.cores.map((core) => core.name),
    values
  )
  const sink = await openSink(reader, values, context)
  try {
    const { until, exit: ends } = values
    const batches = reader.batches({
      from: sink.from,
      live: !ends,
      timeout,
      signal,
      ...(until !== undefined && { until }),
      ...(cores !== undefined && { cores })
    } satisfies FollowOptions)
    for await (const batch of limited(batches, values.count)) await sink.take(batch)
  } finally {
    await sink.close()
  }
}

async function openSink(reader: Reader, values: ReadValues, context: RunContext): Promise<Sink> {
  const { output, group, timeout } = values
  const format = formatOf(reader, values, context)
  const from = fromOf(values)
  if (output === undefined)
    return createStdoutSink(context.print, format, {
      cursor: await reader.cursor(group),
      from,
      signal: context.signal
    })
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
  if (left === 0) return
  for await (const batch of batches) {
    yield left < batch.count ? batch.slice(0, left) : batch
    left -= batch.count
    if (left <= 0) return
  }
}
