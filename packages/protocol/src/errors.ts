/**
 * What can be wrong with bytes or with arguments.
 *
 * - `BAD_KEY`: not a core key in any spelling
 * - `BAD_RULE`: not a routing rule, or one that breaks a limit
 * - `BAD_MANIFEST`: block 0 is no bootstrap manifest
 * - `UNKNOWN_VERSION`: a bootstrap manifest, but of a version that this software does not know
 * - `BAD_RECORD`: a journal record that breaks the format, a limit, or the succession of records
 * - `UNKNOWN_BLOCK`: a later block of the bootstrap core that is no journal record
 * - `BAD_BLOCK`: a data core's block that does not hold the lines which its journal record counts
 * - `MISROUTED`: a line that lies in another core than the routing rule names
 * - `BAD_LINE`: a line that the log's framing cannot carry
 * - `LINE_TOO_LONG`: a line above `MAX_LINE_BYTES`
 * - `BATCH_TOO_LARGE`: more lines or bytes than one batch may have
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
