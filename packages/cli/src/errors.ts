import { messageOf } from './text.ts'

/** A key in hex or z-base-32, or most of one. */
const KEY = /[0-9a-z]{40,}…?/gi
const SHOWN_DIGITS = 6

/**
 * An argument, option or environment variable is invalid. The message says what is wrong and what to use instead. Whatever looks like
 * a key is shortened in it: anyone who has the key can read the log.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'USAGE'

  constructor(message: string, options?: ErrorOptions) {
    super(
      message.replace(KEY, (key) => `${key.slice(0, SHOWN_DIGITS)}…`),
      options
    )
  }
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
