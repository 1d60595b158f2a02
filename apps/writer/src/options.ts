import { commonOptions, type HelpText, type OptionValues, UsageError } from '@many-cores/cli'
import { parseRule } from '@many-cores/protocol'

/** The options of every command of the writer. */
export const COMMON = {
  name: {
    type: 'string',
    value: 'NAME',
    defaultHelp: 'default',
    parse: parseName,
    help: 'Which of your writers this is. Each has a log with a key of its own, in a store NAME of the directory. With --storage and without --name, the directory is the store'
  },
  ...commonOptions('writer')
} as const

/** The writer's options. */
export const options = {
  route: {
    type: 'string',
    value: 'RULE',
    parse: parseRule,
    help: 'How lines are spread over cores; fixed when the log is created. byte-length:5[,…]: by length, cores `short` and `long` (with more bounds `under-5`, …, `rest`). hash:N[,field=K,separator=S]: by hash, of field K if given; fields count from 1. round-robin:N: in turn. prefix:A[,B…]: by prefix, each core named after its own, the other lines in `rest`',
    defaultHelp: 'byte-length:5'
  },
  input: {
    type: 'string',
    value: 'FILE',
    help: 'Follow FILE instead of standard input, across rotations and restarts: each line is published exactly once; - is standard input'
  },
  exit: { type: 'boolean', help: 'Exit at the end of the input; without it, keep serving' },
  acks: {
    type: 'number',
    value: 'N',
    integer: true,
    help: 'With --exit: exit only after N peers have acknowledged the whole log'
  },
  ...COMMON
} as const

function parseName(text: string): string {
  // it becomes a directory
  if (/^[\w-][\w.-]{0,63}$/.test(text)) return text
  throw new Error(`invalid name '${text}': expected up to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot`)
}

/** Throws UsageError if options conflict. */
export function checkConflicts({ acks, exit }: OptionValues<typeof options>): void {
  if (acks !== undefined && !exit)
    throw new UsageError('--acks needs --exit: without it, the writer serves until Ctrl-C')
}

export const help: HelpText = {
  usage: 'writer [options] < lines\n       writer id [options]\n       writer adopt [options]',
  about:
    'Publishes the lines of standard input under one key and serves them until Ctrl-C. Lines are durable before they are served. Standard output gets one line: the key.',
  examples: [
    'app | writer',
    'writer --input app.log     (like tail -F, resumes after a restart)',
    'writer --route hash:4 < events.ndjson',
    'writer --exit --acks 2 < report     (exits when 2 peers have everything)',
    'writer --local     (type lines; Ctrl-D ends input, Ctrl-C stops)'
  ]
}
