/**
 * - `BAD_OPTION`: an option has an invalid value.
 * - `BAD_PLACE`: `from` is not a place that `follow` has yielded.
 * - `MISSING`, `NOT_A_FILE`, `UNREADABLE`: with `once`, there is no such file, it is not a regular file, or it cannot be read.
 */
export type TailErrorCode = 'BAD_OPTION' | 'BAD_PLACE' | 'MISSING' | 'NOT_A_FILE' | 'UNREADABLE'

export class TailError extends Error {
  override readonly name = 'TailError'
  readonly code: TailErrorCode

  constructor(code: TailErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The code of an error of the system, or ''. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}

/** Whether the error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error))
}

/** The reason of an error of the system: `permission denied`. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  // Node's form: EACCES: permission denied, open '/var/log/app.log'
  return /^[A-Z0-9]+: ([^,]+),/.exec(message)?.[1] ?? message
}

/** The handler of a background promise whose failure has no consequence. */
export function ignore(): void {}
