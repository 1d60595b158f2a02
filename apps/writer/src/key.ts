import { type Command, defineCommand, NETWORK_OPTIONS, storageOf } from '@many-cores/cli'
import { COMMON } from './options.ts'

/** `writer key` */
export const key: Command = defineCommand({
  options: COMMON,
  help: {
    usage: 'writer key [options]',
    about:
      'Prints the key of the log in this store: what a reader needs. Offline. Exits with 3 if there is no log yet.',
    hidden: NETWORK_OPTIONS
  },
  start: async (values, context) => {
    const { NodeError, storedKey } = await import('@many-cores/node')
    const storage = storageOf(values, context)
    const key = await storedKey(storage)
    if (key === null)
      throw new NodeError('NOT_FOUND', `${storage} has no log: start the writer to create one`)
    await context.print(`${key}\n`)
  }
})
