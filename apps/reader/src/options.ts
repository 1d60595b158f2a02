import { commonOptions, type HelpText, type OptionValues, UsageError } from '@many-cores/cli'
import { parseCursorName, parseFrom, parseTime, parseUntil } from './position.ts'
import { parseTemplate } from './template.ts'

const BEGINNINGS = ['from', 'tail', 'since'] as const
const FORMATS = ['text', 'raw', 'json', 'format'] as const

/** The reader's command line. */
export const options = {
  text: {
    type: 'boolean',
    excludes: FORMATS,
    help: 'Print `Block N in Core KEY: LINE` for each line, controls made visible: the default'
  },
  raw: { type: 'boolean', excludes: FORMATS, help: 'Print the bytes that were published and nothing else' },
  json: { type: 'boolean', excludes: FORMATS, help: 'Print one JSON object a line' },
  format: {
    type: 'string',
    value: 'FORMAT',
    parse: parseTemplate,
    excludes: FORMATS,
    help: 'Print each line as kcat would: %s line, %S its length, %o position, %p core, %k its name, %K the length of that, %b block, %T time in ms, %t key, %%, \\n, \\t, \\r, \\0, \\xNN'
  },
  from: {
    type: 'string',
    value: 'POSITION',
    defaultHelp: 'stored',
    dashValue: true,
    parse: parseFrom,
    excludes: BEGINNINGS,
    help: 'Where to begin: stored (behind what was delivered last time, else start), start, end, a position, -N for the last N lines, or @TIME'
  },
  tail: {
    type: 'number',
    value: 'N',
    integer: true,
    excludes: BEGINNINGS,
    help: 'The last N lines and what follows: --from -N'
  },
  since: {
    type: 'string',
    value: 'TIME',
    parse: parseTime,
    excludes: BEGINNINGS,
    help: 'The lines since then: --from @TIME. A TIME is ISO 8601, 10m, 2h or 7d ago, or s or ms since 1970'
  },
  until: {
    type: 'string',
    value: 'POSITION',
    dashValue: true,
    parse: parseUntil,
    help: 'Leave before this line: a position, -N, @TIME, or end (of what is there at the start)'
  },
  count: { type: 'number', value: 'N', integer: true, help: 'Leave after N lines; 0: at once' },
  exit: { type: 'boolean', help: 'Leave at the end of what is there; otherwise go on live' },
  only: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    help: 'Only the lines of this core, or of those that match with * and ?; others are not downloaded'
  },
  except: { type: 'string', value: 'NAME', multiple: true, help: 'Not the lines of these cores' },
  output: {
    type: 'string',
    value: 'FILE',
    help: 'Write to FILE instead, raw unless another format is asked for, each line exactly once, over kill -9 too; --from counts for a new file only'
  },
  timeout: {
    type: 'number',
    value: 'SECONDS',
    default: 30,
    help: 'How long to look for the log, for a peer that knows its end where that is needed (at most 10 s without --exit) and, with --exit, for a block; 0 is for ever'
  },
  group: {
    type: 'string',
    value: 'NAME',
    default: 'default',
    parse: parseCursorName,
    help: 'Name of the cursor that remembers what was delivered'
  },
  ...commonOptions('reader')
} as const

export type ReadValues = OptionValues<typeof options>

export const help: HelpText = {
  usage:
    'reader [options] KEY\n       reader cursors [options] KEY\n       reader verify [options] KEY\n       reader doctor [options] [KEY]\n       reader id [options]',
  about:
    'Prints the lines that a writer publishes under KEY, verified, each once and in the order they were written: history first, then live. KEY is what the writer printed: hex or z-base-32, with or without pear://; MANY_CORES_KEY may have it instead, which others on this machine cannot see.',
  examples: [
    'reader KEY',
    'reader --raw --from start --exit KEY > copy',
    'reader --json --tail 10 KEY | jq .text',
    "reader --since 10m --format '%o %s\\n' KEY",
    'reader --output copy KEY'
  ]
}

/** Throws UsageError where two options say different things about the same. */
export function checkTogether(values: ReadValues): void {
  refuseTwo(values, BEGINNINGS)
  refuseTwo(values, FORMATS)
}

function refuseTwo(values: ReadValues, names: readonly (keyof ReadValues)[]): void {
  const [first, second] = names.filter((name) => values[name] !== undefined && values[name] !== false)
  if (second !== undefined) throw new UsageError(`--${first} and --${second} exclude each other`)
}
