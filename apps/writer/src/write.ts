import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  codeOf,
  type OptionValues,
  openProgramNode,
  plural,
  type RunContext,
  resolvePath,
  storageOf
} from '@many-cores/cli'
import { type Node, NodeError, openWriter, type Writer } from '@many-cores/node'
import { checkDistinct, missing, publishFile } from './file.ts'
import type { options } from './options.ts'
import { readInput } from './stdin.ts'

type Values = OptionValues<typeof options>

/** Publishes standard input or a file. Then serves it until the signal is aborted; returns at once with `--exit`. */
export async function write(values: Values, context: RunContext): Promise<void> {
  const { env, signal, status, print } = context
  const { input, route, linger, exit, acks, timeout } = values
  const paths = (input.length === 0 ? ['-'] : input).map((path) =>
    path === '-' ? null : resolvePath(path, env)
  )
  // with a store, a file may have been rotated: a new one will appear
  const mustExist = exit && !existsSync(storageOf(values, context))
  for (const path of paths)
    if (path !== null && (mustExist || /[*?]/.test(path)) && !existsSync(path)) throw missing(path)
  await checkDistinct(paths.map((path) => path ?? '-'))
  await using node = await openStore(values, context)
  await using writer = await openWriter(node, {
    signal,
    linger,
    ...(route !== undefined && { routing: route })
  })
  await print(`main core key: ${writer.key}\n`)
  const publish = async (path: string | null): Promise<number> => {
    if (path === null) return (await writer.publishBytes(readInput(context.stdin, signal))).count
    const { rotated, grace = 1 } = values
    return await publishFile(writer, path, { exit, rotated, grace: grace * 1000, signal, status })
  }
  const counts = await Promise.all(paths.map(publish)).catch((error: unknown) => {
    if (codeOf(error) === 'STORE_FULL' && error instanceof Error) {
      const safe = `${writer.length} ${plural(writer.length, 'line is', 'lines are')} safe`
      error.message += `. ${safe}; free space and start again`
    }
    throw error
  })
  const count = counts.reduce((sum, each) => sum + each, 0)
  status.note(`${count} ${plural(count, 'line')} published, ${writer.length} in total`)
  if (acks !== undefined) await acknowledged(writer, { peers: acks, timeout, signal })
  if (!exit && !signal.aborted) {
    status.state('end of input; serving until Ctrl-C')
    await writer.serve(signal)
  }
}

/** Waits for `peers` acknowledgements. Throws NodeError `NOT_FOUND` after `timeout` seconds. */
async function acknowledged(
  writer: Writer,
  { peers, timeout, signal }: { peers: number; timeout: number | undefined; signal: AbortSignal }
): Promise<void> {
  const expired = timeout ? AbortSignal.timeout(timeout * 1000) : undefined
  try {
    await writer.acknowledged(peers, { signal: expired ? AbortSignal.any([signal, expired]) : signal })
  } catch (error) {
    if (signal.aborted || !expired?.aborted) throw error
    const fault = `fewer than ${peers} ${plural(peers, 'peer')} acknowledged the log in ${timeout} s`
    throw new NodeError(
      'NOT_FOUND',
      `${fault}. Its lines are safe in this store; start the writer to serve them`
    )
  }
}

async function openStore(values: Values, context: RunContext): Promise<Node> {
  const before = dirname(storageOf(values, context))
  if (values.storage === undefined && existsSync(join(before, 'CORESTORE')))
    throw Object.assign(
      new Error(
        `${before} is the store of an earlier version. Continue its log with --storage ${before}, or rename the directory to start a new log`
      ),
      { code: 'STORE_REFUSED' }
    )
  return await openProgramNode(values, context).catch((error: unknown) => {
    if (codeOf(error) === 'STORE_IN_USE' && error instanceof Error)
      error.message += '. Stop it, or give this writer a log of its own with --name NAME'
    throw error
  })
}
