import { parseKey } from '@many-cores/protocol'

/** The argument of most commands: the log that is meant. */
export const KEY = {
  name: 'KEY',
  required: true,
  help: 'the writer prints it as its first line',
  variable: 'MANY_CORES_KEY',
  parse: parseKey
} as const
