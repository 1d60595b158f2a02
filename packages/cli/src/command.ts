import { readFileSync } from 'node:fs'
import { type CommonOptions, commonOptions, levelOf } from './common-options.ts'
import { UsageError } from './errors.ts'
import { formatHelp, type HelpText, NETWORK_OPTIONS } from './help.ts'
import { nearest } from './nearest.ts'
import { storageOf } from './node.ts'
import { type OptionTable, type OptionValues, variableOf } from './option-table.ts'
import { type Positional, type PositionalValue, parseOptions, positionalsOf } from './options.ts'
import { type RunContext, type RunOptions, run } from './run.ts'

/** One command of a program: its command line and what it runs. */
export interface CommandDefinition<T extends OptionTable, P extends Positional | undefined> {
  readonly options: T
  readonly help: HelpText
  /** Default: none. */
  readonly positional?: P
  /** See `OptionSource`. */
  readonly hints?: Readonly<Record<string, string>>
  /** Throws UsageError for values that cannot be combined. */
  readonly check?: (values: OptionValues<T>) => void
  /** The first status, shown before `start` runs. Default: none. */
  readonly begins?: string
  /** Imports modules that load slowly itself: the first status is on the screen by then. */
  readonly start: (
    values: OptionValues<T>,
    context: RunContext,
    positional: PositionalValue<P>
  ) => Promise<number | void>
}

/** A command of a program. */
export interface Command {
  readonly options: OptionTable
  /** Runs it with its arguments. `url` is a module in the `dist` of its program. */
  readonly run: (argv: readonly string[], context: RunContext, url: string) => Promise<number | void>
}

/** Creates a command that has the common options, including `--help` and `--version`. */
export function defineCommand<
  const T extends OptionTable & CommonOptions,
  const P extends Positional | undefined = undefined
>({ options, help, positional, hints, check, begins, start }: CommandDefinition<T, P>): Command {
  const run: Command['run'] = async (argv, context, url) => {
    const { env, print, status } = context
    const source = { argv, env, ...(hints && { hints }), ...(positional && { positionals: positional }) }
    const parsed = parseOptions<T, P>(options, source)
    if (parsed.asks === 'help') return print(formatHelp(options, help))
    if (parsed.asks === 'version') return print(`${status.name} ${versionOf(url)}\n`)
    check?.(parsed.values)
    const common = parsed.values as OptionValues<CommonOptions>
    if (common.storage === undefined && env.MANY_CORES_STORAGE !== undefined)
      throw new UsageError(`MANY_CORES_STORAGE is not used: set ${variableOf('storage', options.storage)}`)
    status.level = levelOf(common)
    if (begins !== undefined) status.state(begins)
    return await start(parsed.values, context, parsed.positional)
  }
  return { options, run }
}

/** `<program> id`: prints the public key of the program's store, or of its home, also while it is in use. */
export function idCommand(
  program: 'reader' | 'writer',
  options: CommonOptions & OptionTable = commonOptions(program)
): Command {
  return defineCommand({
    options,
    help: {
      usage: `${program} id [options]`,
      about: `Prints the public key that identifies this ${program} to peers, for their --allow. It stays the same, and it is not a log's key. A copy of the directory has another one. Offline.`,
      hidden: NETWORK_OPTIONS
    },
    start: async (values, context) => {
      const { readId } = await import('@many-cores/node')
      const storage = storageOf(values, context)
      const id = await readId(storage, { isStore: program === 'writer', fsync: values.fsync })
      await context.print(`${id}\n`)
    }
  })
}

/** A program with commands. */
export interface ProgramOptions extends RunOptions {
  /** `import.meta.url` of its main module. */
  readonly url: string
  /** By the word that selects them. */
  readonly commands: ReadonlyMap<string, Command>
}

/** Runs the command that an argument names, before or after the options, or `main`, and ends the process. See `run`. */
export function runProgram(main: Command, { url, commands, ...options }: ProgramOptions): Promise<never> {
  return run((context) => {
    // by the options of all commands: `--group verify` is not a command
    const tables = [...commands.values(), main].map((command) => Object.entries(command.options))
    const words = positionalsOf(Object.fromEntries(tables.flat()), context.argv)
    const [first] = words
    const isHelp = first?.value === 'help'
    const argv = isHelp ? context.argv.with(first.index, '--help') : context.argv
    const word = words.find(({ value }) => commands.has(value))
    const command = word && commands.get(word.value)
    if (word && command) return command.run(argv.toSpliced(word.index, 1), context, url)
    if (first !== undefined && !isHelp && WORD.test(first.value))
      throw unknownCommand(first.value, [...commands.keys()])
    return main.run(argv, context, url)
  }, options)
}

/** A command, right or wrong. A key is longer. */
const WORD = /^[a-z]{1,20}$/

function unknownCommand(word: string, commands: readonly string[]): UsageError {
  const close = nearest(word, commands)
  const hint = close === undefined ? `expected ${commands.join(', ')}` : `did you mean ${close}?`
  return new UsageError(`unknown command '${word}': ${hint}`)
}

/** The version in the package.json of a program: one directory above the module `url`. */
function versionOf(url: string): string {
  const manifest = readFileSync(new URL('../package.json', url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
