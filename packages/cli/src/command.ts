import { readFileSync } from 'node:fs'
import { type CommonOptions, commonOptions, levelOf } from './common-options.ts'
import { UsageError } from './errors.ts'
import { formatHelp, type HelpText } from './help.ts'
import { nearest } from './nearest.ts'
import { storageOf } from './node.ts'
import type { OptionTable, OptionValues } from './option-table.ts'
import { type Positional, type PositionalValue, parseOptions } from './options.ts'
import { type RunContext, type RunOptions, run } from './run.ts'

/** One command of a program: its command line and what it runs. */
export interface CommandDefinition<T extends OptionTable, P extends Positional | undefined> {
  readonly options: T
  readonly help: HelpText
  /** Default: none. */
  readonly positional?: P
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

/** A command, called with its arguments. `url` is a module in the `dist` of its program. */
export type Command = (argv: readonly string[], context: RunContext, url: string) => Promise<number | void>

/** Creates a command that has the common options, including `--help` and `--version`. */
export function defineCommand<
  const T extends OptionTable & CommonOptions,
  const P extends Positional | undefined = undefined
>({ options, help, positional, check, begins, start }: CommandDefinition<T, P>): Command {
  return async (argv, context, url) => {
    const { env, print, status } = context
    const parsed = parseOptions<T, P>(options, { argv, env, ...(positional && { positionals: positional }) })
    if (parsed.asks === 'help') return print(formatHelp(options, help))
    if (parsed.asks === 'version') return print(`${status.name} ${versionOf(url)}\n`)
    check?.(parsed.values)
    status.level = levelOf(parsed.values as OptionValues<CommonOptions>)
    if (begins !== undefined) status.state(begins)
    return await start(parsed.values, context, parsed.positional)
  }
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
      hidden: ['bootstrap', 'relay', 'lan', 'local', 'allow', 'allow-file', 'max-peers']
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
  /** By the first argument. */
  readonly commands: ReadonlyMap<string, Command>
}

/** Runs the command that the first argument names, or `main`, and ends the process. See `run`. */
export function runProgram(main: Command, { url, commands, ...options }: ProgramOptions): Promise<never> {
  return run((context) => {
    const { argv } = context
    const [first = ''] = argv
    const command = commands.get(first)
    if (command !== undefined) return command(argv.slice(1), context, url)
    if (WORD.test(first)) throw unknownCommand(first, [...commands.keys()])
    return main(argv, context, url)
  }, options)
}

/** A command, right or wrong. A key is longer, and an option begins with a dash. */
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
