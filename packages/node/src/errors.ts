import { ProtocolError } from '@many-cores/protocol'

/**
 * What can go wrong around the bytes.
 *
 * - `NOT_FOUND`: nobody, or nobody with this log, was found in time
 * - `INTEGRITY`: journal and cores disagree, or a peer's data do not verify
 * - `REWRITTEN`: the owner of the log's key has signed two histories of one of its cores
 * - `GONE`: a block that the journal names did not come in time
 * - `STORE_IN_USE`: another process, or another node of this one, has the store open
 * - `STORE_REFUSED`: the directory cannot be used as a store: not writable, copied, other software's, or not to be appended to
 * - `STORE_DAMAGED`: files of the store are missing or are not what was written
 * - `STORE_FULL`: no space is left for the store
 * - `RULE_MISMATCH`: the log exists already, with another routing rule, names or framing
 * - `BAD_OPTION`: an argument that cannot be used, e.g. a node that has a writer already
 * - `CLOSED`: the node, writer or reader was closed before or meanwhile
 * - `UNEXPECTED`: an error of the layers below that has no translation; it is the `cause`
 */
export type NodeErrorCode =
  | 'NOT_FOUND'
  | 'INTEGRITY'
  | 'REWRITTEN'
  | 'GONE'
  | 'STORE_IN_USE'
  | 'STORE_REFUSED'
  | 'STORE_DAMAGED'
  | 'STORE_FULL'
  | 'RULE_MISMATCH'
  | 'BAD_OPTION'
  | 'CLOSED'
  | 'UNEXPECTED'

/** The one error class of this package; faults of bytes and keys arrive as `ProtocolError`. Branch on `code`. */
export class NodeError extends Error {
  override readonly name = 'NodeError'
  readonly code: NodeErrorCode

  constructor(code: NodeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An error of the layers below as one of ours; ours pass as they are. */
export function translate(error: unknown): NodeError | ProtocolError {
  if (error instanceof NodeError || error instanceof ProtocolError) return error
  const faults = causes(error)
  for (const { code, test, message } of TRANSLATIONS) {
    const fault = faults.find(test)
    if (fault !== undefined) return new NodeError(code, message(fault), { cause: error })
  }
  return new NodeError('UNEXPECTED', faults[0]?.message ?? String(error), { cause: error })
}

interface Fault {
  readonly code: string
  readonly message: string
}

interface Translation {
  readonly code: NodeErrorCode
  readonly test: (fault: Fault) => boolean
  readonly message: (fault: Fault) => string
}

// Upstream has codes for some of its errors only; the messages below are those of fd-lock 2, rocksdb-native 3 and corestore 7.
const TRANSLATIONS: readonly Translation[] = [
  {
    code: 'STORE_IN_USE',
    test: ({ message }) => message.includes('could not be locked'),
    message: () => 'the store is in use by another process'
  },
  {
    code: 'STORE_REFUSED',
    test: ({ code }) => code === 'DEVICE_FILE',
    message: () =>
      'the store was copied or moved from another place; two stores with one key would rewrite each other: use the original, or a new --storage'
  },
  {
    code: 'STORE_FULL',
    test: ({ code, message }) =>
      code === 'ENOSPC' || code === 'EDQUOT' || /no space left|disk quota/i.test(message),
    message: () => 'no space is left for the store'
  },
  {
    code: 'STORE_REFUSED',
    test: ({ code, message }) =>
      ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG'].includes(code) ||
      /read-only file system|permission denied|not permitted|not a directory|too many open files/i.test(
        message
      ),
    message: ({ message }) => `the store cannot be used: ${message}`
  },
  {
    code: 'STORE_DAMAGED',
    // rocksdb-native has no code for what is wrong: EIO, or ENOENT for a file that it misses
    test: ({ code, message }) =>
      code === 'EIO' || (code === 'ENOENT' && /^while /i.test(message)) || /^corruption\b/i.test(message),
    message: ({ message }) => `the store is damaged: ${message.trim().replaceAll(/\s+/g, ' ')}`
  },
  {
    code: 'CLOSED',
    test: ({ code, message }) =>
      ['SESSION_CLOSED', 'REQUEST_CANCELLED'].includes(code) || /closed$/i.test(message),
    message: () => 'it was closed meanwhile'
  }
]

/** The error and its causes, outermost first. */
function causes(error: unknown): Fault[] {
  const found: Fault[] = []
  for (let next = error; next instanceof Error && found.length < 8; next = next.cause) {
    found.push({
      code: 'code' in next && typeof next.code === 'string' ? next.code : '',
      message: next.message
    })
  }
  return found
}

/** For a promise whose failure is told elsewhere, or changes nothing. */
export function ignore(): void {}

/** Whether a file is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
