import { formatHelp, levelOf, parseOptions, readVersion, run } from '@many-cores/cli'
import { checkTogether, help, options } from './options.ts'

await run(
  async (context) => {
    const { argv, env, print, status } = context
    const asked = parseOptions(options, { argv, env })
    if (asked.asks === 'help') return print(formatHelp(options, help))
    if (asked.asks === 'version') return print(`writer ${readVersion(import.meta.url)}\n`)
    checkTogether(asked.values)
    status.level = levelOf(asked.values)
    status.state('opening the store')
    // the store and the network load while the first word is on the screen already
    const { write } = await import('./write.ts')
    return write(asked.values, context)
  },
  { name: 'writer', readsStdin: true }
)
