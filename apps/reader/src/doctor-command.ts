import { type Command, commonOptions, defineCommand } from '@many-cores/cli'
import { KEY } from './options.ts'

/** `reader doctor [KEY]` */
export const doctor: Command = defineCommand({
  options: {
    json: { type: 'boolean', help: 'Print one JSON object per check' },
    timeout: { type: 'number', value: 'SECONDS', default: 10, help: 'How long each check may take' },
    ...commonOptions('reader')
  },
  help: {
    usage: 'reader doctor [options] [KEY]',
    about:
      'Checks each requirement for a connection, in order, and prints what to do about it: runtime directory, UDP, DHT, NAT and, with KEY, store, announcement, peer, bootstrap core, manifest, data cores. Exits with 0, or with the code of the first failed check. Uses the identity of the store unless the store is in use; writes nothing to it.',
    hidden: ['fsync', 'max-peers']
  },
  positional: { ...KEY, required: false },
  begins: 'checking the network',
  start: async (values, context, key) => {
    const { examine } = await import('./doctor.ts')
    return examine(key, values, context)
  }
})
