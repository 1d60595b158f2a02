import { messageOf } from './text.ts'

/** An argument, option or environment variable is invalid. The message says what is wrong and what to use instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'USAGE'
}

/**
 * Why a program stops.
 *
 * - `SIGINT`, `SIGTERM`, `SIGHUP`: it got this signal
 * - `STDOUT_GONE`: the reader of standard output has closed it
 * - `FAILED`: an uncaught error, or standard output cannot be written
 * - `GOODBYE`: another user of graceful-goodbye ends the process
 */
export type StopCode = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'STDOUT_GONE' | 'FAILED' | 'GOODBYE'

/** The reason that the signal of `run` is aborted with. If you rethrow it, the program ends without a message. */
export class StopReason extends Error {
  override readonly name = 'AbortError'
  readonly code: StopCode

  constructor(code: StopCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The result of `parse`. Its errors become a UsageError whose message begins with `label`. */
export function parseLabelled<T>(label: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new UsageError(`${label}: ${messageOf(error)}`, { cause: error })
  }
}

/** The `code` of an error, if it has one. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

/** For a promise whose failure is reported elsewhere or changes nothing. */
export function ignore(): void {}
