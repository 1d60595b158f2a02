import { defaultStorage, type OptionValues, type RunContext, reportTo, resolvePath } from '@many-cores/cli'
import { openNode, openWriter } from '@many-cores/node'
import { readInput } from './input.ts'
import type { options } from './options.ts'

/** Publishes standard input, then serves it until `signal`, or leaves where `--exit` says so. */
export async function write(
  values: OptionValues<typeof options>,
  { env, signal, status, stdin, print }: RunContext
): Promise<void> {
  const { storage, bootstrap, local, route, exit } = values
  await using node = await openNode({
    storage: storage === undefined ? defaultStorage('writer', env) : resolvePath(storage, env),
    bootstrap,
    local,
    onStatus: reportTo(status),
    signal
  })
  await using writer = await openWriter(node, { signal, ...(route !== undefined && { routing: route }) })
  await print(`main core key: ${writer.key}\n`)
  const { count } = await writer.publishBytes(readInput(stdin, signal))
  status.note(`${count} lines published, ${writer.length} in all`)
  if (!exit && !signal.aborted) {
    status.state('standard input has ended; serving until a signal')
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  }
}
