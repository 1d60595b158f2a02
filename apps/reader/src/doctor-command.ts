import { commonOptions, formatHelp, levelOf, parseOptions, readVersion } from '@many-cores/cli'
import { parseKey } from '@many-cores/protocol'
import type { Command } from './command.ts'

const options = {
  json: { type: 'boolean', help: 'Print one JSON object a finding' },
  timeout: { type: 'number', value: 'SECONDS', default: 10, help: 'The most that any one check may take' },
  ...commonOptions('reader')
} as const

const KEY = { name: 'KEY', required: false, variable: 'MANY_CORES_KEY' } as const

/** `reader doctor [KEY]` */
export const doctor: Command = async (argv, context) => {
  const { env, print, status } = context
  const asked = parseOptions(options, { argv, env, positionals: KEY })
  if (asked.asks === 'help') {
    return print(
      formatHelp(options, {
        usage: 'reader doctor [options] [KEY]',
        about:
          'Checks in order what must hold for a connection, and says of each what was seen and what to do: runtime directory, UDP, DHT, NAT and, with KEY, store, announcement, peer, bootstrap core, manifest, data cores. Leaves with 0, or with the code of the first thing that fails. Peers are asked under the id of the store, unless it is in use; nothing is written to it.'
      })
    )
  }
  if (asked.asks === 'version') return print(`reader ${readVersion(import.meta.url)}\n`)
  const key = asked.positional === undefined ? undefined : parseKey(asked.positional)
  status.level = levelOf(asked.values)
  status.state('looking at the network')
  const { examine } = await import('./doctor.ts')
  return examine(key, asked.values, context)
}
