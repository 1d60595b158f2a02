import { existsSync } from 'node:fs'
import { type OptionValues, openProgramNode, type RunContext, resolvePath, storageOf } from '@many-cores/cli'
import { openWriter, type Writer } from '@many-cores/node'
import { checkInput, publishFile } from './file/publish-file.ts'
import type { options } from './options.ts'
import { readInput } from './stdin.ts'

type Values = OptionValues<typeof options>

/** Publishes standard input or a file, then serves it until `signal`, or leaves where `--exit` says so. */
export async function write(values: Values, context: RunContext): Promise<void> {
  const { env, signal, status, print } = context
  const { input = '-', route, exit, acks } = values
  const path = input === '-' ? null : resolvePath(input, env)
  // a store may know it under another name, to which it was rotated
  if (path !== null) await checkInput(path, exit && !existsSync(storageOf(values, context)))
  await using node = await openProgramNode(values, context)
  await using writer = await openWriter(node, { signal, ...(route !== undefined && { routing: route }) })
  await print(`main core key: ${writer.key}\n`)
  const count =
    path === null
      ? await publishStdin(writer, context)
      : await publishFile(writer, path, { exit, signal, status })
  status.note(`${count} lines published, ${writer.length} in all`)
  if (acks !== undefined) await writer.acknowledged(acks, { signal })
  if (!exit && !signal.aborted) {
    status.state('standard input has ended; serving until a signal')
    await writer.serve(signal)
  }
}

async function publishStdin(writer: Writer, { signal, stdin }: RunContext): Promise<number> {
  const { count } = await writer.publishBytes(readInput(stdin, signal))
  return count
}
