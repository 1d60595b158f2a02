import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { CHUNK_BYTES, type Content } from './content.ts'
import { describe, type FoundFile } from './listing.ts'
import { advance, HEAD_BYTES, type Mark, START, type StoredMark, TAIL_BYTES } from './mark.ts'

/** The unit of `blocks`, whatever the file system's own is. */
const BLOCK_BYTES = 512

interface ScanOptions {
  readonly from?: Mark
  readonly head?: number
}

/** An open file that is not packed. It may grow, be renamed, cut off or rewritten meanwhile. */
export class PlainFile implements Content {
  readonly isPacked = false
  written: bigint | null = null
  readonly #path: string
  readonly #handle: FileHandle
  /** When the file had been written last, when its bytes were last known to be the same. */
  #checked: bigint | null = null

  constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  async stat(): Promise<FoundFile & { readonly isGone: boolean }> {
    const stats = await this.#handle.stat({ bigint: true })
    return { ...describe(this.#path, stats), isGone: stats.nlink === 0n }
  }

  async peek(mark: Mark): Promise<Uint8Array | null | 'cut'> {
    const { offset, tail } = mark
    const { size, mtimeNs } = await this.#handle.stat({ bigint: true })
    if (size < offset) return 'cut'
    const left = Number(size) - offset
    if (left === 0) {
      if (await this.#isRewritten(mark, mtimeNs)) return 'cut'
      this.written = mtimeNs
      return null
    }
    // with what was read before: this shows a file that was cut off and is longer again
    const bytes = await this.#read(offset - tail.byteLength, tail.byteLength + Math.min(left, CHUNK_BYTES))
    if (Buffer.compare(bytes.subarray(0, tail.byteLength), tail) !== 0) return 'cut'
    this.written = mtimeNs
    this.#checked = left <= CHUNK_BYTES ? mtimeNs : null
    return bytes.byteLength > tail.byteLength ? bytes.subarray(tail.byteLength) : null
  }

  /** The mark of `stored` if the file has the bytes that it identifies by their start and end; otherwise null. */
  async resume({ offset, crc, head, tail }: StoredMark): Promise<Mark | null> {
    const first = await this.#read(0, Math.min(offset, HEAD_BYTES))
    const from = Math.max(0, offset - TAIL_BYTES)
    const last = await this.#read(from, offset - from)
    const isSame = from + last.byteLength === offset && crc32(first) === head && crc32(last) === tail
    return isSame ? { offset, crc, head, tail: last } : null
  }

  /** The mark `length` bytes after the start, or at the end of a shorter file. With `head`, stops early at another head. */
  async scan(length: number, { from = START, head }: ScanOptions = {}): Promise<Mark> {
    let mark = from
    while (mark.offset < length) {
      // the head alone first: most files have another one
      const limit = mark.offset < HEAD_BYTES ? HEAD_BYTES - mark.offset : CHUNK_BYTES
      const bytes = await this.#read(mark.offset, Math.min(limit, length - mark.offset))
      if (bytes.byteLength === 0) return mark
      mark = advance(mark, bytes)
      if (head !== undefined && mark.offset >= Math.min(length, HEAD_BYTES) && mark.head !== head) return mark
    }
    return mark
  }

  async isSparse(): Promise<boolean> {
    const { blocks, size } = await this.#handle.stat()
    return blocks * BLOCK_BYTES < size
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  /** A file can be rewritten at the same size. Then it was written, and its start or end is another. */
  async #isRewritten(mark: Mark, written: bigint): Promise<boolean> {
    if (written === this.#checked) return false
    const isSame = (await this.resume({ ...mark, tail: crc32(mark.tail) })) !== null
    this.#checked = written
    return !isSame
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    // not from Buffer's pool: its user may keep the bytes
    const buffer = Buffer.allocUnsafeSlow(length)
    const { bytesRead } = await this.#handle.read(buffer, 0, length, offset)
    return buffer.subarray(0, bytesRead)
  }
}
