import { type Framing, MAX_BLOCK_BYTES, type Router } from '@many-cores/protocol'
import b4a from 'b4a'
import type { Lines } from './lines.ts'

/** The size of a core's first buffer. It doubles up to a full block, so that many cores with a few lines each need little memory. */
const SMALL_BLOCK_BYTES = 4096

const NEWLINE = 0x0a

/** Routes the lines of one batch to cores, and packs each core's lines into blocks. Adjacent lines of one core are copied together. */
export class Packer {
  readonly #route: Router
  readonly #framing: Framing
  readonly #blocks = new Map<number, OpenBlocks>()
  /** The position of the first line. */
  readonly seq: number
  /** The position after the last line. */
  end: number
  bytes = 0
  /** `core, count, core, count, …`, as in a journal record. */
  readonly order: number[] = []

  constructor(route: Router, framing: Framing, seq: number) {
    this.#route = route
    this.#framing = framing
    this.seq = seq
    this.end = seq
  }

  get lines(): number {
    return this.end - this.seq
  }

  /** Adds lines `first` to `next` (exclusive). The caller respects the limits of a batch. */
  add({ bytes, ends }: Lines, first = 0, next: number = ends.length): void {
    const route = this.#route
    let run = -1
    let runStart = 0
    let runLines = 0
    let start = ends[first - 1] ?? 0
    for (let line = first; line < next; line++) {
      const end = ends[line] as number
      const core = route(bytes, this.end++, start, end)
      if (core !== run || this.#framing === 'none' || end - runStart > MAX_BLOCK_BYTES) {
        if (runLines > 0) this.#place(run, bytes, runStart, start, runLines)
        run = core
        runStart = start
        runLines = 0
      }
      runLines++
      start = end
    }
    if (runLines > 0) this.#place(run, bytes, runStart, start, runLines)
    this.bytes += start - (ends[first - 1] ?? 0)
  }

  /** The blocks that the batch adds to each core, by ascending index. After this, nothing can be added. */
  pack(): [core: number, blocks: Uint8Array[]][] {
    const packed = [...this.#blocks].map(([core, open]): [number, Uint8Array[]] => [core, open.finish()])
    return packed.sort(([one], [other]) => one - other)
  }

  #place(core: number, bytes: Uint8Array, start: number, end: number, lines: number): void {
    let blocks = this.#blocks.get(core)
    if (blocks === undefined) {
      blocks = new OpenBlocks()
      this.#blocks.set(core, blocks)
    }
    blocks.add(bytes, start, end)
    // a line without a terminator ends its block: the next line must not be joined to it
    if (this.#framing === 'none' || bytes[end - 1] !== NEWLINE) blocks.seal()
    const last = this.order.length - 2
    if (this.order[last] === core) (this.order[last + 1] as number) += lines
    else this.order.push(core, lines)
  }
}

/** One core's blocks of one batch: full ones, and the current one, which grows. */
class OpenBlocks {
  readonly #full: Uint8Array[] = []
  #block: Uint8Array | null = null
  #length = 0

  add(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (this.#length + size > MAX_BLOCK_BYTES) this.seal()
    const block = this.#reserve(this.#length + size)
    block.set(bytes.subarray(start, end), this.#length)
    this.#length += size
  }

  /** Ends the current block. */
  seal(): void {
    if (this.#block === null) return
    this.#full.push(this.#block.subarray(0, this.#length))
    this.#block = null
    this.#length = 0
  }

  finish(): Uint8Array[] {
    this.seal()
    return this.#full
  }

  #reserve(length: number): Uint8Array {
    const block = this.#block
    if (block !== null && length <= block.byteLength) return block
    const doubled = Math.max(SMALL_BLOCK_BYTES, 2 * (block?.byteLength ?? 0))
    const grown = b4a.allocUnsafeSlow(Math.max(length, Math.min(doubled, MAX_BLOCK_BYTES)))
    if (block !== null) grown.set(block.subarray(0, this.#length))
    this.#block = grown
    return grown
  }
}
