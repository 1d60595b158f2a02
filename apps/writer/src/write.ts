import { existsSync } from 'node:fs'
import {
  codeOf,
  type OptionValues,
  openProgramNode,
  plural,
  type RunContext,
  resolvePath,
  storageOf
} from '@many-cores/cli'
import { NodeError, openWriter, type Writer } from '@many-cores/node'
import { checkInput, publishFile } from './file/publish-file.ts'
import type { options } from './options.ts'
import { readInput } from './stdin.ts'

type Values = OptionValues<typeof options>

/** Publishes standard input or a file. Then serves it until the signal is aborted; returns at once with `--exit`. */
export async function write(values: Values, context: RunContext): Promise<void> {
  const { env, signal, status, print } = context
  const { input = '-', route, exit, acks, timeout } = values
  const path = input === '-' ? null : resolvePath(input, env)
  // with a store, the file may have been rotated: a new one will appear
  if (path !== null) await checkInput(path, exit && !existsSync(storageOf(values, context)))
  await using node = await openProgramNode(values, context)
  await using writer = await openWriter(node, { signal, ...(route !== undefined && { routing: route }) })
  await print(`main core key: ${writer.key}\n`)
  const publishing =
    path === null
      ? writer.publishBytes(readInput(context.stdin, signal))
      : publishFile(writer, path, { exit, signal, status })
  const { count } = await publishing.catch((error: unknown) => {
    if (codeOf(error) === 'STORE_FULL' && error instanceof Error) {
      const safe = `${writer.length} ${plural(writer.length, 'line is', 'lines are')} safe`
      error.message += `. ${safe}; free space and start again`
    }
    throw error
  })
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
