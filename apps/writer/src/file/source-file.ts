import { type FileHandle, open } from 'node:fs/promises'
import { type FilePosition, fingerprint, HEAD_BYTES, TAIL_BYTES } from './file-position.ts'
import { describeFile, type FileId, ifExists, type ListedFile } from './listing.ts'

/** At most this much is read at once. */
const CHUNK_BYTES = 1 << 20

/** An open file that is read from a position on. It may be renamed meanwhile. */
export class SourceFile implements FileId {
  readonly path: string
  readonly dev: string
  readonly ino: string
  /** The offset of the next byte to read. */
  offset = 0
  /** The part that was read has been cut off or overwritten: there is nothing more to read. */
  isTruncated = false
  /** It is a copy, and its original has been cut off: nothing else has its content. */
  isOnlyCopy = false
  readonly #handle: FileHandle
  readonly #born: number
  #size: number
  #head: Buffer = Buffer.alloc(0)
  #tail: Buffer = Buffer.alloc(0)
  #ahead: Buffer | null = null
  #time = Date.now()

  private constructor(handle: FileHandle, { path, dev, ino, size, born }: ListedFile) {
    this.#handle = handle
    this.path = path
    this.dev = dev
    this.ino = ino
    this.#size = size
    this.#born = born
  }

  /** The file at `path`, from its start; null if there is none. */
  static async open(path: string): Promise<SourceFile | null> {
    const handle = await ifExists(open(path, 'r'))
    if (handle === null) return null
    try {
      return new SourceFile(handle, describeFile(path, await handle.stat({ bigint: true })))
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** How many known bytes have not been read. */
  get unread(): number {
    return Math.max(0, this.#size - this.offset)
  }

  /** Moves to `position` if the bytes before it match its fingerprint; otherwise returns false. */
  async resume({ offset, tail, print }: FilePosition): Promise<boolean> {
    if (this.#size < offset) return false
    const head = await this.#readAt(0, Math.min(offset, HEAD_BYTES))
    if (fingerprint(head, await this.#readAt(offset - tail, tail)) !== print) return false
    this.#head = head
    this.#tail = await this.#readAt(Math.max(0, offset - TAIL_BYTES), Math.min(offset, TAIL_BYTES))
    this.offset = offset
    return true
  }

  /** The next new bytes, up to a chunk; null if there are none, or the file is truncated. */
  async read(): Promise<Uint8Array | null> {
    await this.prefetch()
    const bytes = this.#ahead
    if (bytes === null) return null
    this.#ahead = null
    if (this.offset < HEAD_BYTES)
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, HEAD_BYTES - this.offset)])
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
    this.offset += bytes.byteLength
    this.#time = Date.now()
    return bytes
  }

  /** Fetches the result of the next `read` now: later changes of the file do not affect it. */
  async prefetch(): Promise<void> {
    this.#ahead ??= await this.#fetch()
  }

  /** Whether it was created before `other`, or at the same time: file systems have coarse clocks. */
  isOlder(other: SourceFile): boolean {
    return this.#born <= other.#born
  }

  /** The position after everything that was read. */
  get position(): FilePosition {
    return this.positionAt(this.offset, this.#tail)
  }

  /** The position at `offset`, with some of the bytes before it. */
  positionAt(offset: number, before: Uint8Array): FilePosition {
    const { path, dev, ino } = this
    const head = this.#head.subarray(0, offset)
    const tail = before.subarray(-TAIL_BYTES)
    const print = fingerprint(head, tail)
    return { path, dev, ino, offset, size: this.#size, time: this.#time, tail: tail.byteLength, print }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #fetch(): Promise<Buffer | null> {
    const { size } = await this.#handle.stat()
    if (size < this.offset) return this.#truncated()
    this.#size = size
    if (size === this.offset) return null
    // overlapping what was read before: this detects a file that was cut off and has grown beyond the offset again
    const overlap = this.#tail.byteLength
    const length = overlap + Math.min(size - this.offset, CHUNK_BYTES)
    const bytes = await this.#readAt(this.offset - overlap, length)
    if (!bytes.subarray(0, overlap).equals(this.#tail)) return this.#truncated()
    return bytes.byteLength > overlap ? bytes.subarray(overlap) : null
  }

  #truncated(): null {
    this.isTruncated = true
    return null
  }

  async #readAt(offset: number, length: number): Promise<Buffer> {
    // not from Buffer's pool: its lines are kept until they are durable
    const buffer = Buffer.allocUnsafeSlow(length)
    const { bytesRead } = await this.#handle.read(buffer, 0, length, offset)
    return buffer.subarray(0, bytesRead)
  }
}
