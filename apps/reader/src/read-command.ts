import { type Command, defineCommand } from '@many-cores/cli'
import { KEY } from './command.ts'
import { checkTogether, help, options } from './options.ts'

/** `reader KEY` */
export const read: Command = defineCommand({
  options,
  help,
  check: checkTogether,
  positional: KEY,
  begins: 'opening the store',
  start: async (values, context, key) => {
    // the store and the network load while the first word is on the screen already
    const { read } = await import('./read.ts')
    return read(key, values, context)
  }
})
