import { type Command, commonOptions, defineCommand } from '@many-cores/cli'
import { KEY } from './command.ts'

/** `reader doctor [KEY]` */
export const doctor: Command = defineCommand({
  options: {
    json: { type: 'boolean', help: 'Print one JSON object a finding' },
    timeout: { type: 'number', value: 'SECONDS', default: 10, help: 'The most that any one check may take' },
    ...commonOptions('reader')
  },
  help: {
    usage: 'reader doctor [options] [KEY]',
    about:
      'Checks in order what must hold for a connection, and says of each what was seen and what to do: runtime directory, UDP, DHT, NAT and, with KEY, store, announcement, peer, bootstrap core, manifest, data cores. Leaves with 0, or with the code of the first thing that fails. Peers are asked under the id of the store, unless it is in use; nothing is written to it.'
  },
  positional: { ...KEY, required: false },
  begins: 'looking at the network',
  start: async (values, context, key) => {
    const { examine } = await import('./doctor.ts')
    return examine(key, values, context)
  }
})
