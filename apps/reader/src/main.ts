import { formatHelp, levelOf, parseOptions, readVersion, run, UsageError } from '@many-cores/cli'
import { parseKey } from '@many-cores/protocol'
import { help, options } from './options.ts'

const KEY = { name: 'KEY', required: true, help: 'the writer prints it as its first line' } as const

await run(
  async (context) => {
    const { argv, env, print, status } = context
    const asked = parseOptions(options, { argv, env, positionals: KEY })
    if (asked.asks === 'help') return print(formatHelp(options, help))
    if (asked.asks === 'version') return print(`reader ${readVersion(import.meta.url)}\n`)
    if (asked.values.raw && asked.values.json) throw new UsageError('--raw and --json exclude each other')
    const key = parseKey(asked.positional)
    status.level = levelOf(asked.values)
    status.state('opening the store')
    // the store and the network load while the first word is on the screen already
    const { read } = await import('./read.ts')
    return read(key, asked.values, context)
  },
  { name: 'reader' }
)
