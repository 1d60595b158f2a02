import { type OptionValues, openProgramNode, type RunContext, resolvePath } from '@many-cores/cli'
import { openWriter, type Writer } from '@many-cores/node'
import { publishFile } from './file/publish-file.ts'
import type { options } from './options.ts'
import { readInput } from './stdin.ts'

type Values = OptionValues<typeof options>

/** Publishes standard input or a file, then serves it until `signal`, or leaves where `--exit` says so. */
export async function write(values: Values, context: RunContext): Promise<void> {
  const { signal, status, print } = context
  const { route, exit, acks } = values
  await using node = await openProgramNode(values, context)
  await using writer = await openWriter(node, { signal, ...(route !== undefined && { routing: route }) })
  await print(`main core key: ${writer.key}\n`)
  const count = await publish(writer, values, context)
  status.note(`${count} lines published, ${writer.length} in all`)
  if (acks !== undefined) await writer.acknowledged(acks, { signal })
  if (!exit && !signal.aborted) {
    status.state('standard input has ended; serving until a signal')
    await writer.serve(signal)
  }
}

async function publish(
  writer: Writer,
  { input = '-', exit }: Values,
  { env, signal, status, stdin }: RunContext
): Promise<number> {
  if (input !== '-') return publishFile(writer, resolvePath(input, env), { exit, signal, status })
  const { count } = await writer.publishBytes(readInput(stdin, signal))
  return count
}
