import { commonOptions, formatHelp, levelOf, parseOptions, readVersion } from '@many-cores/cli'
import type { Command } from './command.ts'

const options = commonOptions('reader')

/** `reader id` */
export const id: Command = async (argv, context) => {
  const { env, print, status } = context
  const asked = parseOptions(options, { argv, env })
  if (asked.asks === 'help') {
    return print(
      formatHelp(options, {
        usage: 'reader id [options]',
        about:
          "Prints this store's public key among peers, which others name with --allow; the same at every start. Nobody else is asked."
      })
    )
  }
  if (asked.asks === 'version') return print(`reader ${readVersion(import.meta.url)}\n`)
  status.level = levelOf(asked.values)
  const { openReaderNode } = await import('./open.ts')
  await using node = await openReaderNode(asked.values, context)
  return await print(`${node.id}\n`)
}
