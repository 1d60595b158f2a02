import { type Command, commonOptions, defineCommand } from '@many-cores/cli'
import { KEY } from './options.ts'

/** `reader verify KEY` */
export const verify: Command = defineCommand({
  options: {
    timeout: {
      type: 'number',
      value: 'SECONDS',
      default: 30,
      help: 'How long to look for the log, for a peer that knows its end, and for a block; 0: no limit'
    },
    ...commonOptions('reader')
  },
  help: {
    usage: 'reader verify [options] KEY',
    about:
      'Reads the whole log again, from this store and from peers, and checks that journal and cores agree without a gap, that every line is in the core that the rule selects, and that no core has blocks beyond the journal. Prints what was read. Exits with 5 at the first fault, with 6 if no peer has a block.'
  },
  positional: KEY,
  begins: 'opening the store',
  start: async (values, context, key) => {
    const { verifyLog } = await import('./verify.ts')
    return verifyLog(key, values, context)
  }
})
