import { commonOptions, type HelpText, type OptionValues, UsageError } from '@many-cores/cli'
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
  acks: {
    type: 'number',
    value: 'N',
    integer: true,
    help: 'With --exit: leave only once N peers say that they hold everything, from the first line on'
  },
  ...commonOptions('writer')
} as const

/** Throws UsageError where two options do not go together. */
export function checkTogether({ acks, exit }: OptionValues<typeof options>): void {
  if (acks !== undefined && !exit)
    throw new UsageError('--acks says when to leave: it needs --exit, or the writer stays until a signal')
}

export const help: HelpText = {
  usage: 'writer [options] < lines\n       writer id [options]',
  about:
    'Publishes the lines of standard input under one key, durable as they come, and serves them to readers until a signal. The key is the one line on standard output.',
  examples: [
    'app | writer',
    'writer --input app.log     (as tail -F, and goes on where it stopped)',
    'writer --route hash:4 < events.ndjson',
    'writer --exit --acks 2 < report     (leaves once two peers hold it)',
    'writer --local     (type lines; only this machine can read them)'
  ]
}
