import { type Command, defineCommand, openProgramNode, plural, storageOf } from '@many-cores/cli'
import { COMMON } from './options.ts'

/** `writer adopt` */
export const adopt: Command = defineCommand({
  options: {
    'sole-copy': {
      type: 'boolean',
      env: false,
      help: 'Adopt the store without a peer. Only if no other copy of the log exists: lines that readers have and this store does not would fork the log'
    },
    timeout: {
      type: 'number',
      value: 'SECONDS',
      default: 30,
      help: 'How long to look for a peer; 0: no limit'
    },
    ...COMMON
  },
  help: {
    usage: 'writer adopt [options]',
    about:
      'Lets this store continue its log, after it was copied, moved to another disk or restored from a backup. First gets all newer lines that connected peers have: start a reader that has every line. The original must never be started again: if it continues the log as well, the log forks, and every peer stops with 5.',
    examples: ['writer adopt --storage /mnt/new/writer', 'writer adopt --sole-copy     (no reader exists)']
  },
  begins: 'opening the store',
  start: async (values, context) => {
    const { signal, status, print } = context
    const { NodeError, openWriter, storedKey } = await import('@many-cores/node')
    const storage = storageOf(values, context)
    if ((await storedKey(storage)) === null)
      throw new NodeError(
        'NOT_FOUND',
        `${storage} has no log to adopt: name the copied store with --storage or --name`
      )
    await using node = await openProgramNode(values, context)
    const timeout = values.timeout * 1000
    await using writer = await openWriter(node, {
      signal,
      adopt: { timeout, isSoleCopy: values['sole-copy'] }
    })
    await writer.acknowledged(0, { signal })
    await print(`main core key: ${writer.key}\n`)
    status.note(
      `this store continues the log, which has ${writer.length} ${plural(writer.length, 'line')}; never start another copy of it`
    )
  }
})
