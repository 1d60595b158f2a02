import { TailError } from './errors.ts'
import type { StoredMark } from './mark.ts'

/** What was read of a file. */
export interface PastFile extends StoredMark {
  /** When it had been written last, in ns since 1970. */
  readonly written: bigint
  /**
   * The earliest time that its packed file can have. Of a copy, the time of the original, which logrotate restores when it packs the copy;
   * otherwise `written`.
   */
  readonly writtenFrom: bigint
}

/** One of the log's files in a place. */
export interface StoredFile extends PastFile {
  /** As in `FoundFile`. */
  readonly id: string
  /** Where it was last seen; '' if that was too long to store. */
  readonly path: string
  /** How long it was then. */
  readonly size: number
  /** Whether its last line continues in the next file. */
  readonly joins: boolean
}

/** Where to go on. */
export interface Place {
  /** The files that were the log and that may still grow, oldest first. */
  readonly files: readonly StoredFile[]
  /** What was read of files that have been let go, oldest first. */
  readonly past: readonly PastFile[]
  /** When the newest of them had been written last, in ns since 1970. A file that became the log later was written later. */
  readonly since: bigint
  /** The tags of the other files with names of older files: those are from before the log was followed. */
  readonly others: readonly number[]
}

/** A place is stored with every batch: it must stay small. */
const MAX_PLACE_CHARACTERS = 3800

/** Of other files, the newest this many are stored. Those with older times are known by their times. */
export const MAX_OTHERS = 64

const VERSION = 1

/** The place as text of at most 3,800 ASCII characters. Leaves out paths if it would be longer, and then the oldest files. */
export function encodePlace(place: Place): string {
  const { files } = place
  const withoutPaths = files.map((file) => ({ ...file, path: '' }))
  const newest = files.slice(-1)
  for (const fewer of [files, [...withoutPaths.slice(0, -1), ...newest], withoutPaths]) {
    const text = encode({ ...place, files: fewer })
    if (text.length <= MAX_PLACE_CHARACTERS) return text
  }
  return encodePlace({ ...place, files: withoutPaths.slice(1) })
}

function encode({ files, past, since, others }: Place): string {
  const value = {
    v: VERSION,
    files: files.map(toArray),
    past: past.map(pastToArray),
    since: String(since),
    others: encodeTags(others.slice(0, MAX_OTHERS))
  }
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

/** Throws TailError `BAD_PLACE`. */
export function decodePlace(text: string): Place {
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value) || value.v !== VERSION || !Array.isArray(value.files) || !Array.isArray(value.past))
      throw new Error('no place')
    return {
      files: value.files.map(fromArray),
      past: value.past.map(pastFromArray),
      since: BigInt(textOf(value.since)),
      others: decodeTags(textOf(value.others))
    }
  } catch (cause) {
    throw new TailError('BAD_PLACE', 'the stored place in the file is damaged', { cause })
  }
}

function toArray({ id, path, size, joins, ...mark }: StoredFile): unknown[] {
  return [id, path, size, Number(joins), ...pastToArray(mark)]
}

function fromArray(value: unknown): StoredFile {
  const [id, path, size, joins, ...mark] = arrayOf(value)
  return {
    id: textOf(id),
    path: textOf(path),
    size: numberOf(size),
    joins: joins === 1,
    ...pastFromArray(mark)
  }
}

function pastToArray({ offset, crc, head, tail, written, writtenFrom }: PastFile): unknown[] {
  const times = writtenFrom === written ? [written] : [written, writtenFrom]
  return [offset, crc, head, tail, ...times.map(String)]
}

function pastFromArray(value: unknown): PastFile {
  const [offset, crc, head, tail, written, writtenFrom = written] = arrayOf(value)
  return {
    offset: numberOf(offset),
    crc: numberOf(crc),
    head: numberOf(head),
    tail: numberOf(tail),
    written: BigInt(textOf(written)),
    writtenFrom: BigInt(textOf(writtenFrom))
  }
}

function arrayOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[]
  throw new Error('no array')
}

function encodeTags(tags: readonly number[]): string {
  return Buffer.from(Uint32Array.from(tags).buffer).toString('base64')
}

function decodeTags(text: string): number[] {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
  return [...new Uint32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4))]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new Error('no text')
}

function numberOf(value: unknown): number {
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value)
  throw new Error('no number')
}
