import { commonOptions, type HelpText } from '@many-cores/cli'

/** The reader's command line. */
export const options = {
  raw: { type: 'boolean', help: 'Print the bytes that were published and nothing else' },
  json: { type: 'boolean', help: 'Print one JSON object a line' },
  from: {
    type: 'string',
    value: 'PLACE',
    default: 'stored',
    dashValue: true,
    parse: parseFrom,
    help: 'Where to begin: stored (behind what was delivered last time, else start), start, end, a position, or -N for the last N lines'
  },
  only: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    help: 'Only the lines of this core; others are not downloaded'
  },
  count: { type: 'number', value: 'N', integer: true, help: 'Leave after N lines' },
  exit: { type: 'boolean', help: 'Leave at the end of what is there; otherwise go on live' },
  timeout: {
    type: 'number',
    value: 'SECONDS',
    default: 30,
    help: 'How long to look for the log and, with --exit, to wait for a block; 0 is for ever'
  },
  group: {
    type: 'string',
    value: 'NAME',
    default: 'default',
    help: 'Name of the cursor that remembers what was delivered'
  },
  ...commonOptions('reader')
} as const

export const help: HelpText = {
  usage: 'reader [options] KEY',
  about:
    'Prints the lines that a writer publishes under KEY, verified, each once and in the order they were written: history first, then live. KEY is what the writer printed: hex or z-base-32, with or without pear://.',
  examples: [
    'reader KEY',
    'reader --raw --from start --exit KEY > copy',
    'reader --json --from -10 KEY | jq .text'
  ]
}

/** `stored`, or what `FollowOptions.from` takes. */
export type From = 'stored' | 'start' | 'end' | number

function parseFrom(text: string): From {
  if (text === 'stored' || text === 'start' || text === 'end') return text
  const place = Number(text)
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(place)) return place
  throw new Error(`--from takes stored, start, end, a position or -N, not '${text}'`)
}
