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
    help: 'How lines are spread over cores; fixed when the log is created. byte-length:5[,…]: by length, cores `short` and `long` (with more bounds `under-5`, …, `rest`). hash:N[,field=K,separator=S]: by hash of the line, or of its field K (from 1), so that equal fields are in one core. round-robin:N: in turn. prefix:A[,B…]: by prefix, each core named after its own, the other lines in `rest`',
    defaultHelp: 'byte-length:5'
  },
  input: {
    type: 'string',
    value: 'FILE',
    multiple: true,
    help: 'Follow FILE instead of standard input, across rotations and restarts: each line is published exactly once; - is standard input. Of several inputs, each keeps its order'
  },
  rotated: {
    type: 'string',
    value: 'PATTERN',
    multiple: true,
    parse: parsePattern,
    help: 'Where rotation puts older files of FILE, if that is not FILE.1, FILE-DATE and the like in its directory: a path relative to it, with * and ? in the last part'
  },
  grace: {
    type: 'number',
    value: 'SECONDS',
    defaultHelp: '1',
    help: 'How long a renamed FILE must be quiet before its successor is read'
  },
  linger: {
    type: 'number',
    value: 'MS',
    default: 0,
    integer: true,
    // the longest timer of Node
    max: 2 ** 31 - 1,
    help: 'How long the first line of a batch waits for more. Larger batches make the store smaller and history faster. A full batch and the end of the input do not wait'
  },
  exit: { type: 'boolean', short: 'e', help: 'Exit at the end of the input; without it, keep serving' },
  acks: {
    type: 'number',
    value: 'N',
    integer: true,
    help: 'With --exit: exit only after N peers have acknowledged the whole log'
  },
  timeout: {
    type: 'number',
    value: 'SECONDS',
    // MANY_CORES_TIMEOUT is the reader's
    env: false,
    help: 'With --acks: exit with 3 if too few peers have acknowledged after this long; without it, wait'
  },
  ...COMMON
} as const

function parseName(text: string): string {
  // it becomes a directory
  if (/^[\w-][\w.-]{0,63}$/.test(text)) return text
  throw new Error(`invalid name '${text}': expected up to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot`)
}

function parsePattern(text: string): string {
  const name = text.slice(text.lastIndexOf('/') + 1)
  if (!['', '.', '..'].includes(name)) return text
  throw new Error(`invalid pattern '${text}': expected names of files at its end, for example 'old/app.log*'`)
}

/** Throws UsageError if options conflict. */
export function checkConflicts(values: OptionValues<typeof options>): void {
  const { input, rotated, grace, acks, exit, timeout } = values
  const unused = rotated.length > 0 ? '--rotated' : grace !== undefined && '--grace'
  if (unused && input.every((path) => path === '-'))
    throw new UsageError(`${unused} needs --input FILE: standard input is not rotated`)
  if (acks !== undefined && !exit)
    throw new UsageError('--acks needs --exit: without it, the writer serves until Ctrl-C')
  if (timeout !== undefined && acks === undefined)
    throw new UsageError('--timeout needs --acks: the writer waits for nothing else')
}

/** What users of tail and kcat type. */
export const hints = {
  f: 'to follow a file, use --input FILE',
  F: 'to follow a file, use --input FILE',
  P: 'the writer publishes standard input without an option',
  K: 'use --route hash:N,field=K,separator=S',
  t: 'a log has no topic: --name NAME is another log',
  b: 'there is no broker: readers need the key alone',
  p: 'the routing rule names the core: see --route',
  X: 'there is no broker to configure',
  argument: 'to publish a file, use --input FILE'
} as const

export const help: HelpText = {
  usage: 'writer [options] < lines\n       writer COMMAND [options]',
  about:
    'Publishes the lines of standard input under one key and serves them until Ctrl-C. Lines are durable before they are served. Standard output gets one line: the key.',
  commands: {
    key: 'print the key of the log in this store',
    adopt: 'continue the log of a copied, moved or restored store',
    id: 'print the public key of this store, for --allow of others',
    'help COMMAND': 'show the options of a command'
  },
  groups: {
    'What to publish': ['input', 'rotated', 'grace', 'route', 'linger', 'exit', 'acks', 'timeout']
  },
  examples: [
    'app | writer',
    'writer --input app.log     (like tail -F, resumes after a restart)',
    'writer --route hash:4 < events.ndjson',
    'writer --exit --acks 2 < report     (exits when 2 peers have everything)',
    'writer --local     (type lines; Ctrl-D ends input, Ctrl-C stops)'
  ]
}
