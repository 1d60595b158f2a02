import { commonOptions, type HelpText, type OptionValues, UsageError } from '@many-cores/cli'
import { parseKey } from '@many-cores/protocol'
import { parseCursorName, parseFrom, parseTime, parseUntil } from './position.ts'
import { parseTemplate } from './template.ts'

/** The log: the argument of most commands. */
export const KEY = {
  name: 'KEY',
  required: true,
  help: 'the writer prints it as its first line',
  variable: 'MANY_CORES_KEY',
  // the whole line that the writer prints can be pasted, too
  parse: (text: string) => parseKey(text.replace(/^main core key:\s*/, ''))
} as const

const STARTS = ['from', 'tail', 'since'] as const
const FORMATS = ['text', 'raw', 'json', 'format'] as const

/** Spellings of kcat and Kafka. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['beginning', 'start'],
  ['earliest', 'start'],
  ['latest', 'end']
])

/** Accepts them too, and `s@TIME` for `@TIME`. */
function spelled<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => parse(SPELLINGS.get(text) ?? text.replace(/^s@/, '@'))
}

function parseOutput(text: string): string {
  if (text !== '-') return text
  throw new Error("'-' is not a file: leave out --output for standard output")
}

/** The reader's options. */
export const options = {
  from: {
    type: 'string',
    value: 'POSITION',
    short: 'o',
    defaultHelp: 'stored',
    dashValue: true,
    parse: spelled(parseFrom),
    excludes: STARTS,
    help: 'Where to start: stored (where the cursor is, or start), start, end, a position, -N for the last N lines, or @TIME'
  },
  tail: {
    type: 'number',
    value: 'N',
    short: 'n',
    integer: true,
    excludes: STARTS,
    help: 'Start at the last N lines: --from -N'
  },
  since: {
    type: 'string',
    value: 'TIME',
    parse: parseTime,
    excludes: STARTS,
    help: 'Start at this time: --from @TIME. TIME is ISO 8601, an age such as 10m, 2h or 7d, or s or ms since 1970'
  },
  until: {
    type: 'string',
    value: 'POSITION',
    dashValue: true,
    parse: spelled(parseUntil),
    help: 'Exit before this line: a position, -N, @TIME, or end (as it is at the start)'
  },
  count: { type: 'number', value: 'N', short: 'c', integer: true, help: 'Exit after N lines' },
  exit: { type: 'boolean', short: 'e', help: 'Exit at the end of the log; without it, continue live' },
  only: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    help: 'Read only this core, or those that match a pattern with * and ?, in any case; others are not downloaded'
  },
  except: { type: 'string', value: 'NAME', multiple: true, help: 'Do not read these cores' },
  group: {
    type: 'string',
    value: 'NAME',
    defaultHelp: 'default',
    parse: parseCursorName,
    help: 'Cursor that moves with what is delivered. Without --group, it moves only if reading begins at the cursor, without --only and --except'
  },
  text: {
    type: 'boolean',
    excludes: FORMATS,
    help: 'Print position, core and text in columns, control characters escaped: the default on a terminal. In a pipe, the default is `Block N in Core KEY: LINE`'
  },
  raw: {
    type: 'boolean',
    excludes: FORMATS,
    help: 'Print exactly the bytes that were published: for scripts'
  },
  json: { type: 'boolean', excludes: FORMATS, help: 'Print one JSON object per line' },
  format: {
    type: 'string',
    value: 'FORMAT',
    parse: (text: string) => ({ text, template: parseTemplate(text) }),
    excludes: FORMATS,
    help: 'Print each line in a format like kcat: %s line, %S its length, %o position, %p core number, %k core name, %K its length, %b block, %T time in ms, %t key, %%, \\n, \\t, \\r, \\0, \\xNN'
  },
  output: {
    type: 'string',
    value: 'FILE',
    parse: parseOutput,
    help: 'Write to FILE, each line exactly once, even after kill -9; raw by default. --from applies only to a new file'
  },
  timeout: {
    type: 'number',
    value: 'SECONDS',
    default: 30,
    help: 'How long to look for the log, for a peer that knows its end if needed (at most 10 s without --exit) and, with --exit, for a block; 0: no limit'
  },
  ...commonOptions('reader')
} as const

const FOLLOWS = 'the reader follows the log unless you give --exit'

/** What users of tail and kcat type. */
export const hints = {
  f: `${FOLLOWS}; kcat's -f FORMAT is --format`,
  F: FOLLOWS,
  follow: FOLLOWS,
  C: FOLLOWS,
  J: 'use --json',
  t: 'the KEY names the log, and --only its cores',
  p: 'use --only CORE',
  b: 'there is no broker: the KEY is enough',
  G: 'use --group NAME',
  u: 'output is never held back',
  X: 'there is no broker to configure',
  L: 'use reader cursors KEY, or reader verify KEY',
  D: 'use --format',
  K: 'use --format with %k',
  form: 'did you mean --from or --format?',
  ...Object.fromEntries(Array.from('123456789', (digit) => [digit, 'for the last N lines, use -n N']))
} as const

export type ReadValues = OptionValues<typeof options>

export const help: HelpText = {
  usage: 'reader [options] KEY\n       reader COMMAND [options] [KEY]',
  about:
    'Prints the lines of the log KEY: verified, each once, in the order they were written, first the history, then live. The writer prints KEY: hex or z-base-32, with or without pear://. Set MANY_CORES_KEY instead to hide it from other users of this machine.',
  commands: {
    'cursors KEY': 'list, move and remove the stored positions of a log',
    'verify KEY': 'read a whole log again, and check it',
    'doctor [KEY]': 'say why there is no connection, and what to do',
    id: 'print the public key of this store, for --allow of others',
    'help COMMAND': 'show the options of a command'
  },
  groups: {
    'What to read': ['from', 'tail', 'since', 'until', 'count', 'exit', 'only', 'except', 'group', 'timeout'],
    'How to print': ['text', 'raw', 'json', 'format', 'output']
  },
  examples: [
    'reader KEY',
    'reader --raw --from start --exit KEY > copy',
    'reader --json --tail 10 KEY | jq -r .text',
    "reader --since 10m --format '%o %s\\n' KEY",
    'reader --output copy KEY'
  ]
}

/** Throws UsageError if options conflict. */
export function checkConflicts(values: ReadValues): void {
  for (const names of [STARTS, FORMATS]) {
    const [first, second] = names.filter((name) => values[name] !== undefined && values[name] !== false)
    if (second !== undefined) throw new UsageError(`--${first} and --${second} cannot be combined`)
  }
}
