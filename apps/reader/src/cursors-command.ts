import { type Command, commonOptions, defineCommand } from '@many-cores/cli'
import { KEY } from './options.ts'
import { parseCursorName, parsePosition } from './position.ts'

/** `reader cursors KEY` */
export const cursors: Command = defineCommand({
  options: {
    set: {
      type: 'string',
      value: 'NAME=POSITION',
      multiple: true,
      env: false,
      parse: parseMove,
      help: 'Move this cursor to start, end, a position, -N or @TIME'
    },
    remove: { type: 'string', value: 'NAME', multiple: true, env: false, help: 'Remove this cursor' },
    json: { type: 'boolean', help: 'Print one JSON object per cursor' },
    timeout: {
      type: 'number',
      value: 'SECONDS',
      default: 30,
      help: 'How long to look for the log, if --set needs it; 0: no limit'
    },
    ...commonOptions('reader')
  },
  help: {
    usage: 'reader cursors [options] KEY',
    about:
      'Prints the cursors of the log in this store: name, position (or `damaged`), lag (known lines that are not delivered yet; - if unknown), and the file of an --output cursor. Offline, unless --set needs the log to find a position.',
    examples: [
      'reader cursors KEY',
      'reader cursors --set default=-100 KEY',
      'reader cursors --remove old KEY'
    ]
  },
  positional: KEY,
  begins: 'opening the store',
  start: async (values, context, key) => {
    const { manageCursors } = await import('./cursors.ts')
    return manageCursors(key, values, context)
  }
})

/** A cursor and its new position. */
export interface Move {
  readonly name: string
  readonly position: ReturnType<typeof parsePosition>
}

function parseMove(text: string): Move {
  const equals = text.indexOf('=')
  if (equals < 1) throw new Error(`invalid move '${text}': expected NAME=POSITION, for example default=0`)
  return { name: parseCursorName(text.slice(0, equals)), position: parsePosition(text.slice(equals + 1)) }
}
