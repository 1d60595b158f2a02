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
  input: {
    type: 'string',
    value: 'FILE',
    help: 'Follow this file instead, over rotations and restarts: each of its lines is published exactly once; - is standard input'
  },
  exit: {
    type: 'boolean',
    help: 'Leave when standard input, or what is in the file, has ended; otherwise go on serving it'
  },
  ...commonOptions('writer')
} as const

export const help: HelpText = {
  usage: 'writer [options] < lines\n       writer id [options]',
  about:
    'Publishes the lines of standard input under one key, durable as they come, and serves them to readers until a signal. The key is the one line on standard output.',
  examples: [
    'app | writer',
    'writer --input app.log     (as tail -F, and goes on where it stopped)',
    'writer --route hash:4 < events.ndjson',
    'writer --local     (type lines; only this machine can read them)'
  ]
}

/** The command line of `writer id`. */
export const idOptions = commonOptions('writer')

export const idHelp: HelpText = {
  usage: 'writer id [options]',
  about:
    "Prints this store's public key among peers, which others name with --allow; the same at every start. It is not the key of the log."
}
