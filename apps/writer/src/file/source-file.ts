import { type FileHandle, open } from 'node:fs/promises'
import { type FileId, isMissing } from './listing.ts'
import { HEAD_BYTES, type Place, printOf, TAIL_BYTES } from './place.ts'

/** Read at once, at most. */
const CHUNK_BYTES = 1 << 20

/** An open file that is read from a place on, under whatever name it has by then. */
export class SourceFile implements FileId {
  readonly path: string
  readonly dev: string
  readonly ino: string
  /** What was there before has been cut off, or is other bytes now: there is nothing more to read. */
  isTruncated = false
  /** It is a copy, and what was copied has been cut off: nothing of it stands anywhere else. */
  isOnlyCopy = false
  readonly #handle: FileHandle
  readonly #born: number
  #size: number
  #position = 0
  #head: Buffer = Buffer.alloc(0)
  #tail: Buffer = Buffer.alloc(0)
  #ahead: Buffer | null = null
  #time = Date.now()

  private constructor(path: string, handle: FileHandle, stat: FileId & { size: number; born: number }) {
    this.path = path
    this.#handle = handle
    this.dev = stat.dev
    this.ino = stat.ino
    this.#size = stat.size
    this.#born = stat.born
  }

  /** The file at `path`, from its start; null if there is none. */
  static async open(path: string): Promise<SourceFile | null> {
    const handle = await openOrNull(path)
    if (handle === null) return null
    try {
      const { dev, ino, size, birthtimeMs } = await handle.stat({ bigint: true })
      const stat = { dev: `${dev}`, ino: `${ino}`, size: Number(size), born: Number(birthtimeMs) }
      return new SourceFile(path, handle, stat)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** The next byte to be read. */
  get position(): number {
    return this.#position
  }

  /** How many bytes were seen that have not been read. */
  get unread(): number {
    return Math.max(0, this.#size - this.#position)
  }

  /** Goes to `place` if what stands before it is what was read before it; otherwise says no. */
  async resume(place: Place): Promise<boolean> {
    const { offset, tail } = place
    if (this.#size < offset) return false
    const head = await this.#readAt(0, Math.min(offset, HEAD_BYTES))
    if (printOf(head, await this.#readAt(offset - tail, tail)) !== place.print) return false
    this.#head = head
    this.#tail = await this.#readAt(Math.max(0, offset - TAIL_BYTES), Math.min(offset, TAIL_BYTES))
    this.#position = offset
    return true
  }

  /** What has come, up to a chunk; null if nothing has, or the file is truncated. */
  async read(): Promise<Uint8Array | null> {
    await this.prefetch()
    const bytes = this.#ahead
    if (bytes === null) return null
    this.#ahead = null
    if (this.#position < HEAD_BYTES)
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, HEAD_BYTES - this.#position)])
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
    this.#position += bytes.byteLength
    this.#time = Date.now()
    return bytes
  }

  /** Makes sure of what the next `read` gives, whatever happens to the file meanwhile. */
  async prefetch(): Promise<void> {
    this.#ahead ??= await this.#fetch()
  }

  /** Whether it was not made after `other`: a file system's clock ticks slowly. */
  isOlder(other: SourceFile): boolean {
    return this.#born <= other.#born
  }

  /** The place behind all that was read. */
  get place(): Place {
    return this.placeAt(this.#position, this.#tail)
  }

  /** The place `offset` in what was read, with some bytes that stand just before it. */
  placeAt(offset: number, before: Uint8Array): Place {
    const { path, dev, ino } = this
    const head = this.#head.subarray(0, offset)
    const tail = before.subarray(-TAIL_BYTES)
    const print = printOf(head, tail)
    return { path, dev, ino, offset, size: this.#size, time: this.#time, tail: tail.byteLength, print }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #fetch(): Promise<Buffer | null> {
    const { size } = await this.#handle.stat()
    if (size < this.#position) return this.#truncated()
    this.#size = size
    if (size === this.#position) return null
    // from a little before: a file that was cut off and has grown again beyond the position shows by it
    const overlap = this.#tail.byteLength
    const length = overlap + Math.min(size - this.#position, CHUNK_BYTES)
    const bytes = await this.#readAt(this.#position - overlap, length)
    if (!bytes.subarray(0, overlap).equals(this.#tail)) return this.#truncated()
    return bytes.byteLength > overlap ? bytes.subarray(overlap) : null
  }

  #truncated(): null {
    this.isTruncated = true
    return null
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    // not from Buffer's pool: the lines that lie in it are kept until they are durable
    const buffer = Buffer.allocUnsafeSlow(length)
    const { bytesRead } = await this.#handle.read(buffer, 0, length, position)
    return buffer.subarray(0, bytesRead)
  }
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
