import { EventEmitter, once } from 'node:events'
import type { Readable } from 'node:stream'
import { DEADLINE_MS } from '@many-cores/testing'

const NEWLINE = 0x0a
const SHOWN_BYTES = 2000

/** What a program writes to one of its streams, as it comes. */
export class Output {
  readonly chunks: Buffer[] = []
  /** Bytes so far. */
  length = 0
  /** Whole lines so far. */
  lineCount = 0
  hasEnded = false
  /** When each of `chunks` came, and how many whole lines there were before. */
  readonly #arrivals: { readonly at: number; readonly before: number }[] = []
  readonly #name: string
  readonly #stream: Readable
  readonly #news = new EventEmitter()

  constructor(name: string, stream: Readable) {
    this.#name = name
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => this.#take(chunk))
    stream.on('close', () => {
      this.hasEnded = true
      this.#news.emit('news')
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** Whole lines, without their newlines. */
  get lines(): string[] {
    return this.text.split('\n').slice(0, this.lineCount)
  }

  /** How many lines have come whole since `time`, of `performance.now()`. */
  linesSince(time: number): number {
    const first = this.#arrivals.find(({ at }) => at >= time)
    return first === undefined ? 0 : this.lineCount - first.before
  }

  /** Resolves as soon as `isEnough`. Throws at the deadline, or when the stream ends without. */
  async until(what: string, isEnough: () => boolean, deadline: number = DEADLINE_MS): Promise<void> {
    const signal = AbortSignal.timeout(deadline)
    while (!isEnough()) {
      if (this.hasEnded) throw this.#fault(`ended without ${what}`)
      if (signal.aborted) throw this.#fault(`has not had ${what} for ${deadline} ms`)
      await once(this.#news, 'news', { signal }).catch(ignoreAbort)
    }
  }

  /** The first `count` lines, as soon as they are there. */
  async firstLines(count: number): Promise<string[]> {
    await this.until(`${count} lines`, () => this.lineCount >= count)
    return this.lines.slice(0, count)
  }

  /** Resolves as soon as `text` was said. */
  async says(text: string): Promise<void> {
    await this.until(JSON.stringify(text), () => this.text.includes(text))
  }

  /** Reads no further: who writes has to wait once the pipe is full. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /** Closes this end of the pipe while the other may be written to. */
  abandon(): void {
    this.#stream.destroy()
  }

  #take(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.#arrivals.push({ at: performance.now(), before: this.lineCount })
    this.length += chunk.byteLength
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) this.lineCount++
    this.#news.emit('news')
  }

  #fault(fault: string): Error {
    return new Error(`${this.#name} ${fault}; its last words: ${JSON.stringify(this.#tail())}`)
  }

  #tail(): string {
    return this.bytes.subarray(-SHOWN_BYTES).toString()
  }
}

/** The deadline has passed: the loop looks once more, and then says so. */
function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'AbortError') throw error
}
