import { commonOptions, type HelpText } from '@many-cores/cli'
import { parseRule } from '@many-cores/protocol'

/** The writer's command line. */
export const options = {
  route: {
    type: 'string',
    value: 'RULE',
    parse: parseRule,
    help: 'How lines are spread over cores, when the log is created: byte-length:5[,…] | hash:N[,field=K,separator=S] | round-robin:N | prefix:A[,B…]',
    defaultHelp: 'byte-length:5'
  },
  exit: { type: 'boolean', help: 'Leave when standard input has ended; otherwise go on serving it' },
  ...commonOptions('writer')
} as const

export const help: HelpText = {
  usage: 'writer [options] < lines',
  about:
    'Publishes the lines of standard input under one key, durable as they come, and serves them to readers until a signal. The key is the one line on standard output.',
  examples: [
    'tail -F app.log | writer',
    'writer --route hash:4 < events.ndjson',
    'writer --local     (type lines; only this machine can read them)'
  ]
}
