import { ProtocolError } from '@many-cores/protocol'

/**
 * - `NOT_FOUND`: no peer, or no peer with this log, was found in time
 * - `INTEGRITY`: journal and cores disagree, or a peer's data cannot be verified
 * - `REWRITTEN`: the log has forked: the owner of its key has signed two histories of one of its cores
 * - `GONE`: no peer sent a block that the journal names in time
 * - `STORE_IN_USE`: another process, or another node of this one, has the store open
 * - `STORE_REFUSED`: the directory cannot be used as a store: not writable, a writer's copy, other software's, or not to be appended to
 * - `STORE_DAMAGED`: files of the store are missing or damaged
 * - `STORE_FULL`: no space is left for the store
 * - `RULE_MISMATCH`: the log exists already, with another routing rule, names or framing
 * - `BAD_OPTION`: an invalid argument, for example a node that already has a writer
 * - `CLOSED`: the node, writer or reader is closed
 * - `UNEXPECTED`: an error of another package that has no translation; it is the `cause`
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

/** The error class of this package. Branch on `code`. Invalid bytes and keys are a `ProtocolError`. */
export class NodeError extends Error {
  override readonly name = 'NodeError'
  readonly code: NodeErrorCode

  constructor(code: NodeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Turns an error of another package into one of ours. Ours pass unchanged. */
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

// Some upstream errors have no code. The messages are those of fd-lock 2, rocksdb-native 3 and corestore 7.
const TRANSLATIONS: readonly Translation[] = [
  {
    code: 'STORE_IN_USE',
    test: ({ message }) => message.includes('could not be locked'),
    message: () => 'the store is in use by another process'
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
    // rocksdb-native reports any damage as EIO, and a missing file as ENOENT
    test: ({ code, message }) =>
      code === 'EIO' || (code === 'ENOENT' && /^while /i.test(message)) || /^corruption\b/i.test(message),
    message: ({ message }) => `the store is damaged: ${message.trim().replaceAll(/\s+/g, ' ')}`
  },
  {
    code: 'CLOSED',
    test: ({ code, message }) =>
      ['SESSION_CLOSED', 'REQUEST_CANCELLED'].includes(code) || /closed$/i.test(message),
    message: () => 'closed during the call'
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

/** For a promise whose failure is reported elsewhere, or has no effect. */
export function ignore(): void {}

/** Whether the error says that a file does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
