import { type Command, commonOptions, defineCommand } from '@many-cores/cli'
import { KEY } from './command.ts'

/** `reader verify KEY` */
export const verify: Command = defineCommand({
  options: {
    timeout: {
      type: 'number',
      value: 'SECONDS',
      default: 30,
      help: 'How long to look for the log, for a peer that knows its end, and for a block; 0 is for ever'
    },
    ...commonOptions('reader')
  },
  help: {
    usage: 'reader verify [options] KEY',
    about:
      'Reads again all that is stored here, and what else can be had, and checks that journal and cores agree without a gap, that every line lies where the rule puts it, and that no core has blocks beyond the journal. Says the first fault and leaves with 5, or with 6 where a block is nowhere; else prints what was read and leaves with 0.'
  },
  positional: KEY,
  begins: 'opening the store',
  start: async (values, context, key) => {
    const { verifyLog } = await import('./verify.ts')
    return verifyLog(key, values, context)
  }
})
