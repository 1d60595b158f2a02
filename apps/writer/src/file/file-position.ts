import { createHash } from 'node:crypto'

/** How far a file is published, and how to identify the file after a rotation. */
export interface FilePosition {
  /** The path that is followed; the file may have another name now. */
  readonly path: string
  readonly dev: string
  readonly ino: string
  /** Everything before it is published. */
  readonly offset: number
  /** The size of the file when it was last read. */
  readonly size: number
  /** When it was last read, in ms since 1970. */
  readonly time: number
  /** How many bytes before `offset` the fingerprint covers, besides the file's first bytes. */
  readonly tail: number
  /** The fingerprint: the system reuses inodes. */
  readonly print: string
}

/** How many of a file's first bytes its fingerprint covers, at most. */
export const HEAD_BYTES = 1024

/** How many bytes before the offset it covers, at most. */
export const TAIL_BYTES = 256

/** Distinguishes files that begin with the same bytes, or reuse an inode. */
export function fingerprint(head: Uint8Array, tail: Uint8Array): string {
  return createHash('sha256').update(head).update(tail).digest('base64url').slice(0, 22)
}

/** The checkpoint name of a path, hashed because a path can be longer than a name. */
export function checkpointName(path: string): string {
  return `file-${createHash('sha256').update(path).digest('hex').slice(0, 40)}`
}

export function encodePosition({ path, ...position }: FilePosition): string {
  const text = JSON.stringify({ path, ...position })
  // the path is informative only: a very long one is left out, because a checkpoint has a size limit
  return text.length > 2048 ? JSON.stringify({ path: '', ...position }) : text
}

const TEXTS = ['path', 'dev', 'ino', 'print'] as const
const NUMBERS = ['offset', 'size', 'time', 'tail'] as const

/** Throws an Error if the bytes are not a position. */
export function decodePosition(bytes: Uint8Array): FilePosition {
  const value = JSON.parse(Buffer.from(bytes).toString()) as Partial<FilePosition> | null
  const hasTexts = TEXTS.every((name) => typeof value?.[name] === 'string')
  if (hasTexts && NUMBERS.every((name) => typeof value?.[name] === 'number')) return value as FilePosition
  throw new Error('the stored position in the input file is damaged')
}
