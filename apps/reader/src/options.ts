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
  parse: parseKey
} as const

const STARTS = ['from', 'tail', 'since'] as const
const FORMATS = ['text', 'raw', 'json', 'format'] as const

/** The reader's options. */
export const options = {
  text: {
    type: 'boolean',
    excludes: FORMATS,
    help: 'Print `Block N in Core KEY: LINE` for each line, with control characters escaped: the default'
  },
  raw: { type: 'boolean', excludes: FORMATS, help: 'Print exactly the bytes that were published' },
  json: { type: 'boolean', excludes: FORMATS, help: 'Print one JSON object per line' },
  format: {
    type: 'string',
    value: 'FORMAT',
    parse: parseTemplate,
    excludes: FORMATS,
    help: 'Print each line in a format like kcat: %s line, %S its length, %o position, %p core number, %k core name, %K its length, %b block, %T time in ms, %t key, %%, \\n, \\t, \\r, \\0, \\xNN'
  },
  from: {
    type: 'string',
    value: 'POSITION',
    defaultHelp: 'stored',
    dashValue: true,
    parse: parseFrom,
    excludes: STARTS,
    help: 'Where to start: stored (after the last delivered line, or start), start, end, a position, -N for the last N lines, or @TIME'
  },
  tail: {
    type: 'number',
    value: 'N',
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
    parse: parseUntil,
    help: 'Exit before this line: a position, -N, @TIME, or end (as it is at the start)'
  },
  count: { type: 'number', value: 'N', integer: true, help: 'Exit after N lines' },
  exit: { type: 'boolean', help: 'Exit at the end of the log; without it, continue live' },
  only: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    help: 'Read only this core, or those that match a pattern with * and ?; others are not downloaded'
  },
  except: { type: 'string', value: 'NAME', multiple: true, help: 'Do not read these cores' },
  output: {
    type: 'string',
    value: 'FILE',
    help: 'Write to FILE, each line exactly once, even after kill -9; raw by default. --from applies only to a new file'
  },
  timeout: {
    type: 'number',
    value: 'SECONDS',
    default: 30,
    help: 'How long to look for the log, for a peer that knows its end if needed (at most 10 s without --exit) and, with --exit, for a block; 0: no limit'
  },
  group: {
    type: 'string',
    value: 'NAME',
    defaultHelp: 'default',
    parse: parseCursorName,
    help: 'Cursor that stores the position of the last delivered line. One process at a time can use it'
  },
  ...commonOptions('reader')
} as const

export type ReadValues = OptionValues<typeof options>

export const help: HelpText = {
  usage:
    'reader [options] KEY\n       reader cursors [options] KEY\n       reader verify [options] KEY\n       reader doctor [options] [KEY]\n       reader id [options]',
  about:
    'Prints the lines of the log KEY: verified, each once, in the order they were written, first the history, then live. The writer prints KEY: hex or z-base-32, with or without pear://. Set MANY_CORES_KEY instead to hide it from other users of this machine.',
  examples: [
    'reader KEY',
    'reader --raw --from start --exit KEY > copy',
    'reader --json --tail 10 KEY | jq .text',
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
