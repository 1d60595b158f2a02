import {
  formatHelp,
  type HelpText,
  levelOf,
  type OptionTable,
  type OptionValues,
  parseOptions,
  type RunContext,
  readVersion
} from '@many-cores/cli'
import { type CoreKey, parseKey } from '@many-cores/protocol'

/** One of the things that the reader does with a log: what it is told, and what it then does. */
export interface CommandDefinition<Table extends OptionTable> {
  readonly options: Table
  readonly help: HelpText
  /** Throws UsageError for values that do not go together. */
  readonly check?: (values: OptionValues<Table>) => void
  /** May import what takes long to load: the first word is on the screen then. */
  readonly start: (key: CoreKey, values: OptionValues<Table>, context: RunContext) => Promise<number | void>
}

/** A command, to be called with its arguments. */
export type Command = (argv: readonly string[], context: RunContext) => Promise<number | void>

const KEY = {
  name: 'KEY',
  required: true,
  help: 'the writer prints it as its first line',
  variable: 'MANY_CORES_KEY'
} as const

/** What every table of options has. */
type Common = OptionTable & {
  readonly quiet: { readonly type: 'boolean'; readonly help: string }
  readonly verbose: { readonly type: 'boolean'; readonly help: string }
}

/** Makes a command that takes a key. */
export function defineCommand<const Table extends Common>(definition: CommandDefinition<Table>): Command {
  const { options, help, check, start } = definition
  return async (argv, context) => {
    const { env, print, status } = context
    const asked = parseOptions(options, { argv, env, positionals: KEY })
    if (asked.asks === 'help') return print(formatHelp(options, help))
    if (asked.asks === 'version') return print(`reader ${readVersion(import.meta.url)}\n`)
    const { values } = asked
    check?.(values)
    const key = parseKey(asked.positional)
    status.level = levelOf(values as { readonly quiet: boolean; readonly verbose: boolean })
    status.state('opening the store')
    return await start(key, values, context)
  }
}
