import { codeOf } from './errors.ts'

/** The exit codes. After a signal: 128 plus the signal's number (130, 143, 129). */
export const EXIT = {
  done: 0,
  unexpected: 1,
  usage: 2,
  notFound: 3,
  integrity: 5,
  gone: 6,
  storeInUse: 7,
  storeRefused: 8,
  badInput: 9
} as const

// as text: importing the packages that throw them would slow down every start, even --help
const CODES: ReadonlyMap<unknown, number> = new Map([
  ['USAGE', EXIT.usage],

  // @many-cores/protocol
  ['BAD_KEY', EXIT.usage],
  ['BAD_RULE', EXIT.usage],
  ['BAD_MANIFEST', EXIT.integrity],
  ['UNKNOWN_VERSION', EXIT.integrity],
  ['BAD_RECORD', EXIT.integrity],
  ['UNKNOWN_BLOCK', EXIT.integrity],
  ['BAD_BLOCK', EXIT.integrity],
  ['MISROUTED', EXIT.integrity],
  ['BAD_LINE', EXIT.badInput],
  ['LINE_TOO_LONG', EXIT.badInput],
  ['BATCH_TOO_LARGE', EXIT.badInput],

  // @many-cores/tail
  ['MISSING', EXIT.usage],
  ['NOT_A_FILE', EXIT.usage],
  ['UNREADABLE', EXIT.badInput],
  ['BAD_PLACE', EXIT.storeRefused],

  // @many-cores/node
  ['NOT_FOUND', EXIT.notFound],
  ['INTEGRITY', EXIT.integrity],
  ['REWRITTEN', EXIT.integrity],
  ['GONE', EXIT.gone],
  ['STORE_IN_USE', EXIT.storeInUse],
  ['STORE_REFUSED', EXIT.storeRefused],
  ['STORE_DAMAGED', EXIT.storeRefused],
  ['STORE_FULL', EXIT.storeRefused],
  ['OUTPUT_REFUSED', EXIT.storeRefused],
  ['OUTPUT_IN_USE', EXIT.storeInUse],
  ['RULE_MISMATCH', EXIT.usage],
  ['BAD_OPTION', EXIT.usage]
])

/** The exit code for the `code` of an error; `EXIT.unexpected` without a known code. */
export function exitCodeOf(error: unknown): number {
  return CODES.get(codeOf(error)) ?? EXIT.unexpected
}
