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
import { type Node, openWriter } from '@many-cores/node'
import { checkInput, publishFile } from './file/publish-file.ts'
import type { options } from './options.ts'
import { readInput } from './stdin.ts'

type Values = OptionValues<typeof options>

/** Publishes standard input or a file. Then serves it until the signal is aborted; returns at once with `--exit`. */
export async function write(values: Values, context: RunContext): Promise<void> {
  const { env, signal, status, print } = context
  const { input = '-', route, exit, acks } = values
  const path = input === '-' ? null : resolvePath(input, env)
  // with a store, the file may have been rotated: a new one will appear
  if (path !== null) await checkInput(path, exit && !existsSync(storageOf(values, context)))
  await using node = await openStore(values, context)
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
  if (acks !== undefined) await writer.acknowledged(acks, { signal })
  if (!exit && !signal.aborted) {
    status.state('end of input; serving until Ctrl-C')
    await writer.serve(signal)
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
