import type { CommonOptions } from './common-options.ts'
import { commonOptions, levelOf } from './common-options.ts'
import { formatHelp, type HelpText } from './help.ts'
import { openProgramNode } from './node.ts'
import type { OptionTable, OptionValues } from './option-table.ts'
import { type Positional, parseOptions, type Word } from './options.ts'
import { type RunContext, type RunOptions, run } from './run.ts'
import { readVersion } from './version.ts'

/** One of the things that a program does: what it is told, and what it then does. */
export interface CommandDefinition<T extends OptionTable, P extends Positional | undefined> {
  readonly options: T
  readonly help: HelpText
  /** Its argument. Default: none. */
  readonly positional?: P
  /** Throws UsageError for values that do not go together. */
  readonly check?: (values: OptionValues<T>) => void
  /** Its first word on standard error. Default: none. */
  readonly begins?: string
  /** May import what takes long to load: the first word is on the screen then. */
  readonly start: (values: OptionValues<T>, context: RunContext, word: Word<P>) => Promise<number | void>
}

/** A command, to be called with its arguments; `url` is a module in `dist` of its program. */
export type Command = (argv: readonly string[], context: RunContext, url: string) => Promise<number | void>

/** Makes a command that has the common options, `--help` and `--version` among them. */
export function defineCommand<
  const T extends OptionTable & CommonOptions,
  const P extends Positional | undefined = undefined
>({ options, help, positional, check, begins, start }: CommandDefinition<T, P>): Command {
  return async (argv, context, url) => {
    const { env, print, status } = context
    const asked = parseOptions<T, P>(options, { argv, env, ...(positional && { positionals: positional }) })
    if (asked.asks === 'help') return print(formatHelp(options, help))
    if (asked.asks === 'version') return print(`${status.name} ${readVersion(url)}\n`)
    check?.(asked.values)
    status.level = levelOf(asked.values as OptionValues<CommonOptions>)
    if (begins !== undefined) status.state(begins)
    return await start(asked.values, context, asked.positional)
  }
}

/** `<program> id`: prints the public key that peers know the program's store by. */
export function idCommand(program: string): Command {
  return defineCommand({
    options: commonOptions(program),
    help: {
      usage: `${program} id [options]`,
      about:
        "Prints this store's public key among peers, which others name with --allow; the same at every start. It is not the key of a log. Nobody else is asked."
    },
    start: async (values, context) => {
      await using node = await openProgramNode(values, context)
      await context.print(`${node.id}\n`)
    }
  })
}

/** A program with commands. */
export interface ProgramOptions extends RunOptions {
  /** Its main module: `import.meta.url`. */
  readonly url: string
  /** By the first argument. */
  readonly commands: ReadonlyMap<string, Command>
}

/** Runs the command that the first argument names, or else `main`, to the end of the process; see `run`. */
export function runProgram(main: Command, { url, commands, ...options }: ProgramOptions): Promise<never> {
  return run((context) => {
    // pnpm hands on a leading --
    const argv = context.argv[0] === '--' ? context.argv.slice(1) : context.argv
    const command = commands.get(argv[0] ?? '')
    return command === undefined ? main(argv, context, url) : command(argv.slice(1), context, url)
  }, options)
}
