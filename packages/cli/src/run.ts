import type { Readable, Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { format } from 'node:util'
import { Ending } from './ending.ts'
import type { Environment } from './option-table.ts'
import { createStatus, type Status } from './status.ts'
import { write } from './stdout.ts'

/** What a program needs of its process. */
export interface RunContext {
  /** Without node and the script. */
  readonly argv: readonly string[]
  readonly env: Environment
  /** Aborted with a `StopReason` when the program shall end: then close, and return. */
  readonly signal: AbortSignal
  /** Standard error. Its level decides whether an error shows its stack; its last state is named when the end takes too long. */
  readonly status: Status
  readonly stdin: Readable
  readonly stdout: Writable
  /** Writes to standard output. Resolves when the system has taken it; rejects when nobody reads any more, which `run` takes for a quiet end. */
  readonly print: (chunk: string | Uint8Array) => Promise<void>
}

/** A program. What it returns is its exit code, `EXIT.done` when nothing; what it throws is said in one line. */
export type Main = (context: RunContext) => Promise<number | void>

/** How a program is run. */
export interface RunOptions {
  /** Begins every line on standard error. */
  readonly name: string
  /** Whether people may type its standard input; the status line then keeps out of their way. Default: false. */
  readonly readsStdin?: boolean
}

/**
 * Runs `main` and ends the process: with its exit code, with 130, 143 or 129 after a signal, or with 0 when standard output
 * is gone. A second signal ends it at once, and so does a `main` that takes more than 2 s to end after the first.
 *
 * Begins `main` at once, so that its first word is soon on standard error. Call it once in a process.
 */
export async function run(main: Main, { name, readsStdin = false }: RunOptions): Promise<never> {
  const status = createStatus({ name, shared: isatty(1) || (readsStdin && isatty(0)) })
  const ending = new Ending(status)
  divertConsole(status)
  return ending.follow(async () => main(contextOf(status, ending.signal)))
}

function contextOf(status: Status, signal: AbortSignal): RunContext {
  return {
    argv: process.argv.slice(2),
    env: process.env,
    signal,
    status,
    // Not before it is asked for: looking at it is enough to take hold of the terminal
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    print: (chunk) => write(process.stdout, chunk)
  }
}

/** Standard output is for data, but Hypercore says `console.log` when it finds a conflict. */
function divertConsole(status: Status): void {
  const sayBy =
    (say: (line: string) => void) =>
    (...values: unknown[]): void => {
      for (const line of format(...values).split('\n')) say(line)
    }
  // what it was about is said in our own words where it matters
  const log = sayBy((line) => status.detail(line))
  const warn = sayBy((line) => status.note(line))
  Object.assign(console, { log, info: log, debug: log, warn, error: warn })
}
