import type { Readable, Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { format } from 'node:util'
import { Ending } from './ending.ts'
import type { Environment } from './option-table.ts'
import { Status } from './status.ts'
import { write } from './stdout.ts'

/** The process, as a program uses it. */
export interface RunContext {
  /** Without node, the script, and the leading `--` that pnpm passes on. */
  readonly argv: readonly string[]
  readonly env: Environment
  /** Aborted with a `StopReason` when the program must close and return. */
  readonly signal: AbortSignal
  /** Standard error. Its level decides whether errors show their stacks; its last state is reported if closing takes too long. */
  readonly status: Status
  readonly stdin: Readable
  readonly stdout: Writable
  /** Writes to standard output. Resolves when the system has accepted it. Rejects when the reader has gone, which is a normal end. */
  readonly print: (chunk: string | Uint8Array) => Promise<void>
}

/** A program. Returns its exit code (default: `EXIT.done`). Errors are reported in one line. */
export type Main = (context: RunContext) => Promise<number | void>

/** How to run a program. */
export interface RunOptions {
  /** Begins every line on standard error. */
  readonly name: string
  /** Whether you may type its standard input: then the status line is not rewritten in place. Default: false. */
  readonly readsStdin?: boolean
}

/**
 * Runs `main` and ends the process with its exit code; with 130, 143 or 129 after a signal; with 0 when the reader of
 * standard output has gone. A second signal ends it at once. So does a `main` that is still running 2 s after the first.
 *
 * Calls `main` synchronously, so that its first status appears soon. Call it once per process.
 */
export async function run(main: Main, { name, readsStdin = false }: RunOptions): Promise<never> {
  const status = new Status({ name, shared: isatty(1) || (readsStdin && isatty(0)) })
  const ending = new Ending(status)
  divertConsole(status)
  return ending.follow(async () => main(contextOf(status, ending.signal)))
}

function contextOf(status: Status, signal: AbortSignal): RunContext {
  const argv = process.argv.slice(2)
  return {
    argv: argv[0] === '--' ? argv.slice(1) : argv,
    env: process.env,
    signal,
    status,
    // a getter: the first access to process.stdin opens the terminal
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    print: (chunk) => write(process.stdout, chunk)
  }
}

/** Keeps libraries off standard output: Hypercore calls `console.log` when it finds a conflict. */
function divertConsole(status: Status): void {
  const linesTo =
    (print: (line: string) => void) =>
    (...values: unknown[]): void => {
      for (const line of format(...values).split('\n')) print(line)
    }
  // a detail: we report conflicts ourselves
  const log = linesTo((line) => status.detail(line))
  const warn = linesTo((line) => status.note(line))
  Object.assign(console, { log, info: log, debug: log, warn, error: warn })
}
