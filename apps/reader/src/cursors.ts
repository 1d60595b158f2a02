import {
  type Command,
  checkStorage,
  commonOptions,
  defineCommand,
  messageOf,
  oneLine,
  openProgramNode,
  type RunContext,
  storageOf,
  UsageError
} from '@many-cores/cli'
import type { Bound, Cursor, Cursors, Position, Reader } from '@many-cores/node'
import { KEY } from './options.ts'
import { parseCursorName, parsePosition, resolveBound } from './position.ts'
import { beyondEnd } from './start.ts'

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
      'Prints the cursors of the log: name, position (or `damaged`), lag (known lines that are not delivered yet; - if unknown), and the file of an --output cursor, also while readers run. Offline, unless --set needs the log to find or check a position.',
    examples: [
      'reader cursors KEY',
      'reader cursors --set default=-100 KEY',
      'reader cursors --remove old KEY'
    ]
  },
  positional: KEY,
  start: async (values, context, key) => {
    const { knownLength, openCursors } = await import('@many-cores/node')
    const { openLog } = await import('./open-log.ts')
    const home = storageOf(values, context)
    await checkStorage(values, context)
    await using cursors = openCursors(home, key, { fsync: values.fsync })
    const locate = async (bound: Bound): Promise<Position> => {
      if (bound === 'start' || bound === 0) return 0
      const known = await orUnknown(knownLength({ home, key }), context)
      if (typeof bound === 'number' && bound > 0 && bound <= (known ?? -1)) return bound
      const options = { timeout: values.timeout * 1000, signal: context.signal }
      await using node = await openProgramNode(values, context, { key })
      await using reader = await openLog(node, key, options)
      return typeof bound === 'number' && bound > 0
        ? await checkPosition(reader, bound, options)
        : await resolveBound(reader, bound, options)
    }
    for (const { name, position } of values.set) await move(await cursors.get(name), await locate(position))
    for (const name of values.remove) await remove(name, cursors)
    if (values.set.length + values.remove.length > 0) return
    const found = await cursors.list()
    const length = found.length === 0 ? null : await orUnknown(knownLength({ home, key }), context)
    const rows = found.map((cursor) => rowOf(cursor, length))
    await context.print(values.json ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : table(rows))
  }
})

/** Without the length, the cursors are still listed. */
async function orUnknown(length: Promise<number | null>, { status }: RunContext): Promise<number | null> {
  try {
    return await length
  } catch (error) {
    status.note(`the lag is unknown: ${messageOf(error)}`)
    return null
  }
}

/** A cursor and its new position. */
interface Move {
  readonly name: string
  readonly position: ReturnType<typeof parsePosition>
}

function parseMove(text: string): Move {
  const equals = text.indexOf('=')
  if (equals < 1) throw new Error(`invalid move '${text}': expected NAME=POSITION, for example default=0`)
  return { name: parseCursorName(text.slice(0, equals)), position: parsePosition(text.slice(equals + 1)) }
}

/** Returns `position` if the log has it, or ends there. */
async function checkPosition(
  reader: Reader,
  position: number,
  options: { readonly timeout: number; readonly signal: AbortSignal }
): Promise<number> {
  if (reader.manifest.version === 0)
    throw new UsageError(
      `a tutorial log has no positions across its cores, so a cursor cannot be set to ${position}: set it to start, or remove it`
    )
  const length = await reader.length(options)
  if (position <= length) return position
  throw new UsageError(beyondEnd(position, length))
}

async function move(cursor: Cursor, position: Position): Promise<void> {
  const { name, state } = cursor
  if (state?.file !== undefined)
    throw new UsageError(`cursor ${name} belongs to a file: you can remove it, but not move it`)
  await cursor.commit(position, state ?? undefined)
}

async function remove(name: string, cursors: Cursors): Promise<void> {
  const cursor = (await cursors.list()).find((listed) => listed.name === name)
  if (cursor === undefined) throw new UsageError(`this log has no cursor ${name}`)
  await cursor.remove()
}

interface Row {
  readonly name: string
  /** Null if damaged. */
  readonly position: Position | null
  /** Known lines after it; null if the length is unknown. */
  readonly lag: number | null
  /** The file of an `--output` cursor. */
  readonly file: string | null
}

function rowOf({ name, position, state }: Cursor, length: number | null): Row {
  const lag = length === null || typeof position !== 'number' ? null : Math.max(0, length - position)
  const file = state?.file
  return { name, position, lag, file: typeof file === 'string' ? file : null }
}

const HEADINGS = ['NAME', 'POSITION', 'LAG', 'FILE']

function table(rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  const cells = [HEADINGS, ...rows.map(cellsOf)]
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

function cellsOf({ name, position, lag, file }: Row): string[] {
  const shown = position === null ? 'damaged' : JSON.stringify(position)
  return [name, shown, lag === null ? '-' : String(lag), file === null ? '' : oneLine(file)]
}
