import { crc32 } from 'node:zlib'

/** How far a file is read, with what identifies the bytes before that. Immutable. */
export interface Mark {
  /** Everything before this offset is read. */
  readonly offset: number
  /** The CRC-32 of these bytes: the one of gzip, so that the end of a compressed file tells whose content it has. */
  readonly crc: number
  /** The CRC-32 of the first 1024 of these bytes. */
  readonly head: number
  /** The last 256 of these bytes. */
  readonly tail: Uint8Array
}

/** A mark as it is stored: with the CRC-32 of the last bytes in place of the bytes. */
export interface StoredMark {
  readonly offset: number
  readonly crc: number
  readonly head: number
  readonly tail: number
}

/** How many of the first bytes distinguish two files quickly. */
export const HEAD_BYTES = 1024

/** How many of the last bytes show whether a file still has what was read of it. */
export const TAIL_BYTES = 256

/** The start of every file. */
export const START: Mark = { offset: 0, crc: 0, head: 0, tail: new Uint8Array() }

/** The mark after the next `bytes`. */
export function advance(mark: Mark, bytes: Uint8Array): Mark {
  const { offset, crc, head, tail } = mark
  const last =
    bytes.byteLength >= TAIL_BYTES
      ? Uint8Array.from(bytes.subarray(-TAIL_BYTES))
      : Buffer.concat([tail, bytes]).subarray(-TAIL_BYTES)
  return {
    offset: offset + bytes.byteLength,
    crc: crc32(bytes, crc),
    head: offset < HEAD_BYTES ? crc32(bytes.subarray(0, HEAD_BYTES - offset), head) : head,
    tail: last
  }
}

export function storeMark({ offset, crc, head, tail }: Mark): StoredMark {
  return { offset, crc, head, tail: crc32(tail) }
}

/** Whether `mark` is after the same bytes. */
export function isSameMark(mark: Mark, stored: Omit<StoredMark, 'tail'>): boolean {
  return mark.offset === stored.offset && mark.crc === stored.crc && mark.head === stored.head
}
