/** What was typed, or set in the environment, cannot be understood. The message says what was wrong and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'USAGE'
}

/**
 * Why a program is asked to end.
 *
 * - `SIGINT`, `SIGTERM`, `SIGHUP`: that signal came
 * - `STDOUT_GONE`: whoever read standard output has left
 * - `FAILED`: an error that nobody caught, or a standard output that cannot be written
 * - `GOODBYE`: another user of graceful-goodbye ends the process
 */
export type StopCode = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'STDOUT_GONE' | 'FAILED' | 'GOODBYE'

/** The reason that the signal of `run` is aborted with. May be thrown on: it ends the program without a word. */
export class StopReason extends Error {
  override readonly name = 'AbortError'
  readonly code: StopCode

  constructor(code: StopCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
