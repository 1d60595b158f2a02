import { MAX_BATCH_BYTES, MAX_BATCH_LINES } from '@many-cores/protocol'
import b4a from 'b4a'
import type { StreamCheckpoint } from '../checkpoint.ts'
import { type Checkpoints, encodeCheckpoint } from './checkpoints.ts'
import type { Lines } from './lines.ts'
import type { Packer } from './packer.ts'

/** A stream's checkpoint, and how far the stream was before the submission. */
export interface SubmittedCheckpoint extends StreamCheckpoint {
  readonly before: { readonly lines: number; readonly bytes: number }
}

/**
 * What a stream's batch, or one that gathers several calls, is meant to have at most, in bytes: as fast as batches of 16 MiB,
 * in 100 MB less. One line, or one call, that is longer makes a batch alone.
 */
export const GATHERED_BYTES: number = 4 * 1024 * 1024

/** Copies of lines are gathered in pieces of so many bytes; the first ones are smaller, for most submissions are one line. */
const PIECE_BYTES = 64 * 1024

/** Some of a submission's lines, back to back: line i is `bytes[ends[i - 1] ?? 0, ends[i])`, and the rest of `bytes` is free. */
interface Piece extends Lines {
  readonly ends: number[]
}

/** Lines that become durable together, and who waits for it. They are copies: the caller may use its buffers again. */
export class Submission {
  /** Resolves to the position of its first line once it is durable. */
  readonly durable: Promise<number>
  lines = 0
  bytes = 0
  /** Whether a flush has it: nothing can be added any more. */
  taken = false
  readonly #pieces: Piece[] = []
  readonly #checkpoint: SubmittedCheckpoint | undefined
  readonly #maxBytes: number
  #resolve: (position: number) => void = ignore
  #reject: (error: unknown) => void = ignore

  constructor(checkpoint?: SubmittedCheckpoint, maxBytes: number = MAX_BATCH_BYTES) {
    this.#checkpoint = checkpoint
    this.#maxBytes = maxBytes
    this.durable = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // whoever submitted may look only later, or at another promise that fails with it
    this.durable.catch(ignore)
  }

  /**
   * Adds lines of `from` from its line `first` on, as many as there is still room for, and the first one in any case that a
   * batch can hold; returns the first left out.
   */
  fill(from: Lines, first = 0): number {
    const { bytes, ends } = from
    const start = first === 0 ? 0 : (ends[first - 1] ?? 0)
    const most = Math.min(ends.length, first + MAX_BATCH_LINES - this.lines)
    const room = start + this.#maxBytes - this.bytes
    let next = most
    while (next > first && (ends[next - 1] ?? 0) > room) next--
    if (next === first && this.lines === 0) next = Math.min(most, first + 1)
    if (next === first) return first
    const end = ends[next - 1] ?? start
    const piece = this.#pieceFor(end - start)
    const shift = (piece.ends.at(-1) ?? 0) - start
    piece.bytes.set(bytes.subarray(start, end), start + shift)
    for (let line = first; line < next; line++) piece.ends.push((ends[line] as number) + shift)
    this.lines += next - first
    this.bytes += end - start
    return next
  }

  pack(packer: Packer): void {
    for (const piece of this.#pieces) packer.add(piece)
  }

  /** Adds the checkpoint that holds once these lines are durable. */
  mark(checkpoints: Map<string, Uint8Array>): void {
    if (this.#checkpoint === undefined) return
    const { name, at, before } = this.#checkpoint
    const progress = { lines: before.lines + this.lines, bytes: before.bytes + this.bytes, last: this.#last }
    checkpoints.set(name, encodeCheckpoint(name, at(progress)))
  }

  resolve(position: number): void {
    this.#resolve(position)
  }

  reject(error: unknown): void {
    this.#reject(error)
  }

  get #last(): Uint8Array {
    const last = this.#pieces.at(-1)
    return last?.bytes.subarray(last.ends.at(-2) ?? 0, last.ends.at(-1) ?? 0) ?? NOTHING
  }

  /** A piece with room for so many bytes. */
  #pieceFor(size: number): Piece {
    const last = this.#pieces.at(-1)
    if (last !== undefined && size <= last.bytes.byteLength - (last.ends.at(-1) ?? 0)) return last
    const piece = {
      bytes: b4a.allocUnsafeSlow(Math.max(size, Math.min(2 * this.bytes, PIECE_BYTES))),
      ends: []
    }
    this.#pieces.push(piece)
    return piece
  }
}

const NOTHING = new Uint8Array()

/** What waits for the next flush, in order. */
export class SubmissionQueue {
  #waiting: Submission[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  push(submission: Submission): void {
    this.#waiting.push(submission)
  }

  /** Takes as many whole submissions, from the first on, as one batch is meant to hold; at least one. */
  takeBatch(): Submission[] {
    let lines = 0
    let bytes = 0
    let count = 0
    for (const submission of this.#waiting) {
      lines += submission.lines
      bytes += submission.bytes
      if (count > 0 && (lines > MAX_BATCH_LINES || bytes > GATHERED_BYTES)) break
      count++
    }
    const batch = this.#waiting.splice(0, count)
    for (const submission of batch) submission.taken = true
    return batch
  }

  /** Fails everything that waits. */
  rejectAll(error: unknown): void {
    for (const submission of this.#waiting.splice(0)) submission.reject(error)
  }
}

/** What holds once all of `batch` is durable; of the same name the last, as the submissions are in order. */
export function checkpointsOf(batch: readonly Submission[]): Checkpoints {
  const checkpoints = new Map<string, Uint8Array>()
  for (const submission of batch) submission.mark(checkpoints)
  return checkpoints
}

function ignore(): void {}
