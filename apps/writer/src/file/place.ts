import { createHash } from 'node:crypto'

/** How far a file was published, and how to know it again under another name. */
export interface Place {
  /** The path that is followed; the file may have been renamed since. */
  readonly path: string
  readonly dev: string
  readonly ino: string
  /** Everything before it is published. */
  readonly offset: number
  /** How many bytes the file was seen to have. */
  readonly size: number
  /** When, in ms since 1970. */
  readonly time: number
  /** How many bytes before `offset` the print covers, beside the file's first ones. */
  readonly tail: number
  /** Inodes are used again: this tells their files apart. */
  readonly print: string
}

/** How many of a file's first bytes its print covers, at most. */
export const HEAD_BYTES = 1024

/** How many of the bytes before the offset it covers, at most. */
export const TAIL_BYTES = 256

/** What tells files apart that begin in the same way, or have got each other's inode. */
export function printOf(head: Uint8Array, tail: Uint8Array): string {
  return createHash('sha256').update(head).update(tail).digest('base64url').slice(0, 22)
}

/** The name of the checkpoint of this path: a path may be longer than a name may. */
export function checkpointName(path: string): string {
  return `file-${createHash('sha256').update(path).digest('hex').slice(0, 40)}`
}

export function encodePlace({ path, ...place }: Place): string {
  const text = JSON.stringify({ path, ...place })
  // the path is there for people; a very long one must not cost the place
  return text.length > 2048 ? JSON.stringify({ path: '', ...place }) : text
}

/** Throws an Error if the bytes are no place. */
export function decodePlace(bytes: Uint8Array): Place {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString())
  if (isPlace(value)) return value
  throw new Error('the place of the input file that the store holds is damaged')
}

const MEMBERS: Readonly<Record<keyof Place, 'string' | 'number'>> = {
  path: 'string',
  dev: 'string',
  ino: 'string',
  offset: 'number',
  size: 'number',
  time: 'number',
  tail: 'number',
  print: 'string'
}

function isPlace(value: unknown): value is Place {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(MEMBERS).every(([name, type]) => typeof Reflect.get(value, name) === type)
}
