/**
 * Faults of bytes and of arguments.
 *
 * - `BAD_KEY`: not a core key
 * - `BAD_RULE`: not a routing rule, or a rule that exceeds a limit
 * - `BAD_MANIFEST`: block 0 is not a valid bootstrap manifest
 * - `UNKNOWN_VERSION`: block 0 is a bootstrap manifest of another version
 * - `BAD_RECORD`: a journal record that breaks the format, exceeds a limit, or contradicts another record
 * - `UNKNOWN_BLOCK`: a block after block 0 of the bootstrap core that is not a journal record
 * - `BAD_BLOCK`: a data core's block that exceeds a limit, or does not hold the lines that its journal record counts
 * - `MISROUTED`: a line in another core than the one the routing rule names
 * - `BAD_LINE`: a line that the log's framing cannot hold
 * - `LINE_TOO_LONG`: a line longer than `MAX_LINE_BYTES`
 * - `BATCH_TOO_LARGE`: more lines or bytes than a batch may have
 */
export type ProtocolErrorCode =
  | 'BAD_KEY'
  | 'BAD_RULE'
  | 'BAD_MANIFEST'
  | 'UNKNOWN_VERSION'
  | 'BAD_RECORD'
  | 'UNKNOWN_BLOCK'
  | 'BAD_BLOCK'
  | 'MISROUTED'
  | 'BAD_LINE'
  | 'LINE_TOO_LONG'
  | 'BATCH_TOO_LARGE'

/** The one error class of this package. Branch on `code`; `message` is for people. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ProtocolErrorCode

  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
