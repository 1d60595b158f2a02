import { existsSync } from 'node:fs'
import { type Command, defineCommand, NETWORK_OPTIONS, openProgramNode, storageOf } from '@many-cores/cli'
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
    const noLog = new NodeError('NOT_FOUND', `${storage} has no log: start the writer to create one`)
    // to open a node would create the store
    if (!existsSync(storage)) throw noLog
    await using node = await openProgramNode(values, context)
    const stored = await storedKey(node)
    if (stored === null) throw noLog
    await context.print(`${stored}\n`)
  }
})
