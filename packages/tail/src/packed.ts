import type { FileHandle } from 'node:fs/promises'
import { pipeline, type Transform } from 'node:stream'
import zlib from 'node:zlib'
import { CHUNK_BYTES, type Content } from './content.ts'
import { ignore } from './errors.ts'
import { advance, HEAD_BYTES, type Mark, START } from './mark.ts'
import type { Packing } from './names.ts'

/** The last 8 bytes of a gzip file: the CRC-32 and the length of its content, modulo 2^32 (RFC 1952). */
const GZIP_TRAILER_BYTES = 8

/** Since Node.js 22.15. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform }

/** Whether files of this packing can be read. */
export function canUnpack(packing: Packing): boolean {
  return packing === 'gzip' || (packing === 'zstd' && createZstdDecompress !== undefined)
}

/** The content of a packed file, from its start. It is read once, in order. */
export class PackedFile implements Content {
  readonly isPacked = true
  readonly written = null
  readonly #chunks: AsyncIterator<Uint8Array, undefined>
  readonly #destroy: () => void
  #mark: Mark = START
  /** What was unpacked after the mark. */
  #held: Uint8Array = new Uint8Array()
  #isOver = false

  constructor(handle: FileHandle, packing: Packing) {
    const unpack =
      packing === 'gzip' ? zlib.createGunzip({ chunkSize: CHUNK_BYTES }) : createZstdDecompress?.()
    if (unpack === undefined) throw new Error(`Node.js ${process.version} cannot unpack ${packing}`)
    const file = handle.createReadStream()
    // an error reaches the iterator of the last stream
    pipeline(file, unpack, ignore)
    this.#chunks = unpack[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>
    this.#destroy = () => {
      file.destroy()
      unpack.destroy()
    }
  }

  /** Moves to `offset` and returns the mark there; earlier if the content is shorter, or has another head. */
  async skip(offset: number, head: number): Promise<Mark> {
    while (this.#mark.offset < offset) {
      const bytes = await this.#fill()
      if (bytes === null) break
      this.#move(bytes.subarray(0, offset - this.#mark.offset))
      if (this.#mark.offset >= Math.min(offset, HEAD_BYTES) && this.#mark.head !== head) break
    }
    return this.#mark
  }

  async peek(mark: Mark): Promise<Uint8Array | null> {
    this.#held = this.#held.subarray(mark.offset - this.#mark.offset)
    this.#mark = mark
    return await this.#fill()
  }

  async stat(): Promise<null> {
    return null
  }

  async isSparse(): Promise<boolean> {
    return false
  }

  async close(): Promise<void> {
    this.#destroy()
  }

  /** Everything held, at least a chunk unless the content ends before that. */
  async #fill(): Promise<Uint8Array | null> {
    while (!this.#isOver && this.#held.byteLength < CHUNK_BYTES) {
      const next = await this.#chunks.next()
      if (next.done === true) this.#isOver = true
      else this.#held = this.#held.byteLength === 0 ? next.value : Buffer.concat([this.#held, next.value])
    }
    return this.#held.byteLength > 0 ? this.#held : null
  }

  #move(bytes: Uint8Array): void {
    this.#mark = advance(this.#mark, bytes)
    this.#held = this.#held.subarray(bytes.byteLength)
  }
}

/** What the end of a gzip file says about its content, if that is one member: the CRC-32 and the length modulo 2^32. */
export async function trailerOf(
  file: FileHandle
): Promise<{ readonly crc: number; readonly length: number }> {
  const { size } = await file.stat()
  const trailer = Buffer.alloc(GZIP_TRAILER_BYTES)
  await file.read(trailer, 0, GZIP_TRAILER_BYTES, Math.max(0, size - GZIP_TRAILER_BYTES))
  return { crc: trailer.readUInt32LE(0), length: trailer.readUInt32LE(4) }
}
