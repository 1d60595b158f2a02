import { defaultStorage, type OptionValues, type RunContext, reportTo, resolvePath } from '@many-cores/cli'
import { type Batch, type FollowOptions, openNode, openReader, type Reader } from '@many-cores/node'
import { Bookmark } from './bookmark.ts'
import { type Format, formatJson, formatRaw, formatText } from './format.ts'
import type { options } from './options.ts'

/** Lines that are printed in one go: after `kill -9` in the midst of it, at most so many come again. */
const SLICE_LINES = 1000

type Values = OptionValues<typeof options>

/** Prints the log of `key` until `signal`, or its end where `--exit` or `--count` say so. */
export async function read(key: string, values: Values, context: RunContext): Promise<void> {
  const { env, signal, status } = context
  await using node = await openNode({
    storage: values.storage === undefined ? defaultStorage('reader', env) : resolvePath(values.storage, env),
    bootstrap: values.bootstrap,
    local: values.local,
    onStatus: reportTo(status),
    signal
  })
  const timeout = values.timeout * 1000
  await using reader = await openReader(node, key, { timeout, signal })
  const cursor = await reader.cursor(values.group)
  const bookmark = new Bookmark(cursor)
  try {
    const from = values.from === 'stored' ? (cursor.place ?? 'start') : values.from
    await deliver(batchesOf(reader, values, { from, timeout, signal }), formatOf(values), bookmark, context)
  } finally {
    await bookmark.flush()
  }
}

function formatOf({ raw, json }: Values): Format {
  if (raw) return formatRaw
  return json ? formatJson : formatText
}

async function* batchesOf(
  reader: Reader,
  { only, exit, count }: Values,
  options: FollowOptions
): AsyncGenerator<Batch> {
  const cores = only.length === 0 ? {} : { cores: only }
  let left = count ?? Number.POSITIVE_INFINITY
  if (left === 0) return
  for await (const batch of reader.batches({ ...options, ...cores, live: !exit })) {
    for (let first = 0; first < batch.count && left > 0; first += SLICE_LINES) {
      // a batch may be 16 MiB, and whoever reads us slow
      if (options.signal?.aborted) return
      const slice = batch.slice(first, Math.min(batch.count, first + SLICE_LINES, first + left))
      left -= slice.count
      yield slice
    }
    if (left === 0) return
  }
}

async function deliver(
  batches: AsyncIterable<Batch>,
  format: Format,
  bookmark: Bookmark,
  { print }: RunContext
): Promise<void> {
  for await (const batch of batches) {
    await print(format(batch))
    await bookmark.move(batch.next)
  }
}
