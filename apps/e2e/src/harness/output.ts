import { EventEmitter, once } from 'node:events'
import type { Readable } from 'node:stream'
import { DEADLINE_MS } from '@many-cores/testing'

const NEWLINE = 0x0a
const SHOWN_BYTES = 2000

/** Collects what a program writes to one of its streams. */
export class Output {
  readonly chunks: Buffer[] = []
  /** Bytes received. */
  length = 0
  /** Complete lines received. */
  lineCount = 0
  hasEnded = false
  /** For each of `chunks`, when it arrived, and the number of complete lines before it. */
  readonly #arrivals: { readonly at: number; readonly before: number }[] = []
  readonly #name: string
  readonly #stream: Readable
  readonly #updates = new EventEmitter()

  constructor(name: string, stream: Readable) {
    this.#name = name
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('close', () => {
      this.hasEnded = true
      this.#updates.emit('update')
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** The complete lines, without their newlines. */
  get lines(): string[] {
    return this.text.split('\n').slice(0, this.lineCount)
  }

  /** The number of lines that were completed since `time`, a value of `performance.now()`. */
  linesSince(time: number): number {
    const first = this.#arrivals.find(({ at }) => at >= time)
    return first === undefined ? 0 : this.lineCount - first.before
  }

  /** Resolves once `isEnough` is true. Throws at the deadline, or if the stream ends first. */
  async until(what: string, isEnough: () => boolean, deadline: number = DEADLINE_MS): Promise<void> {
    const signal = AbortSignal.timeout(deadline)
    while (!isEnough()) {
      if (this.hasEnded) throw this.#fault(`ended without ${what}`)
      if (signal.aborted) throw this.#fault(`did not print ${what} within ${deadline} ms`)
      await once(this.#updates, 'update', { signal }).catch(ignoreAbort)
    }
  }

  /** Resolves to the first `count` lines. */
  async firstLines(count: number): Promise<string[]> {
    await this.until(`${count} lines`, () => this.lineCount >= count)
    return this.lines.slice(0, count)
  }

  /** Resolves once the output contains `text`. */
  async says(text: string): Promise<void> {
    await this.until(JSON.stringify(text), () => this.text.includes(text))
  }

  /** Stops reading: the program blocks once the pipe is full. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /** Closes the read end of the pipe while the program can still write to it. */
  abandon(): void {
    this.#stream.destroy()
  }

  #receive(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.#arrivals.push({ at: performance.now(), before: this.lineCount })
    this.length += chunk.byteLength
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) this.lineCount++
    this.#updates.emit('update')
  }

  #fault(fault: string): Error {
    return new Error(`${this.#name} ${fault}; its last output: ${JSON.stringify(this.#tail())}`)
  }

  #tail(): string {
    return this.bytes.subarray(-SHOWN_BYTES).toString()
  }
}

/** The deadline has passed. The loop checks once more, then throws. */
function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'AbortError') throw error
}
