import { formatHelp, levelOf, parseOptions, type RunContext, readVersion, run } from '@many-cores/cli'
import { checkTogether, help, idHelp, idOptions, options } from './options.ts'

await run(
  (context) => {
    // pnpm hands on a leading --
    const argv = context.argv[0] === '--' ? context.argv.slice(1) : context.argv
    return argv[0] === 'id' ? printId(argv.slice(1), context) : publish(argv, context)
  },
  { name: 'writer', readsStdin: true }
)

/** `writer` */
async function publish(argv: readonly string[], context: RunContext): Promise<void> {
  const { env, print, status } = context
  const asked = parseOptions(options, { argv, env })
  if (asked.asks === 'help') return print(formatHelp(options, help))
  if (asked.asks === 'version') return printVersion(context)
  checkTogether(asked.values)
  status.level = levelOf(asked.values)
  status.state('opening the store')
  // the store and the network load while the first word is on the screen already
  const { write } = await import('./write.ts')
  return write(asked.values, context)
}

/** `writer id` */
async function printId(argv: readonly string[], context: RunContext): Promise<void> {
  const { env, print, status } = context
  const asked = parseOptions(idOptions, { argv, env })
  if (asked.asks === 'help') return print(formatHelp(idOptions, idHelp))
  if (asked.asks === 'version') return printVersion(context)
  status.level = levelOf(asked.values)
  const { openWriterNode } = await import('./open.ts')
  await using node = await openWriterNode(asked.values, context)
  await print(`${node.id}\n`)
}

function printVersion({ print }: RunContext): Promise<void> {
  return print(`writer ${readVersion(import.meta.url)}\n`)
}
