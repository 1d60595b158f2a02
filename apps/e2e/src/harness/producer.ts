import { randomInt } from 'node:crypto'
import { appendFile, copyFile, rename, truncate } from 'node:fs/promises'
import { tick } from './tick.ts'

interface Pace {
  /** The most lines in one append. */
  readonly linesAtOnce?: number
  /** Appends between two rotations, on average. */
  readonly appendsARotation?: number
}

/** Writes a log file as programs and logrotate do: lines in one or two writes, rotation by rename or by copy. */
export class Producer {
  readonly #file: string
  readonly #linesAtOnce: number
  readonly #appendsARotation: number
  readonly #written: Buffer[] = []
  #rotated = 0
  #lines = 0
  /** The part of the last line that is not in the file yet. */
  #rest = ''

  constructor(file: string, { linesAtOnce = 300, appendsARotation = 40 }: Pace = {}) {
    this.#file = file
    this.#linesAtOnce = linesAtOnce
    this.#appendsARotation = appendsARotation
  }

  /** Everything that was written, in order. */
  get written(): Buffer {
    return Buffer.concat(this.#written)
  }

  get rotated(): number {
    return this.#rotated
  }

  async produce(lines: number): Promise<void> {
    for (const end = this.#lines + lines; this.#lines < end; ) {
      if (randomInt(this.#appendsARotation) === 0) await this.#rotate()
      await this.#append(
        this.#rest + this.#someLines(Math.min(end - this.#lines, randomInt(1, this.#linesAtOnce)))
      )
    }
  }

  #someLines(count: number): string {
    let text = ''
    for (let line = 0; line < count; line++, this.#lines++) {
      text +=
        this.#lines % 3 === 0
          ? `${this.#lines}\n`
          : `line ${this.#lines} ${filler(this.#lines).slice(0, this.#lines % 150)}\n`
    }
    return text
  }

  /** Completes the line that the file ends with. */
  async finish(): Promise<void> {
    await this.#write(`${this.#rest}\n`)
    this.#rest = ''
  }

  async #append(text: string): Promise<void> {
    const cut = text.length > 1 && randomInt(4) === 0 ? randomInt(1, text.length) : text.length
    this.#rest = text.slice(cut)
    await this.#write(text.slice(0, cut))
  }

  async #write(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    await appendFile(this.#file, bytes)
    this.#written.push(bytes)
  }

  async #rotate(): Promise<void> {
    // the writer must see the first file before it is rotated
    if (this.#written.length === 0) return
    for (let index = this.#rotated; index > 0; index--)
      await rename(`${this.#file}.${index}`, `${this.#file}.${index + 1}`)
    this.#rotated++
    if (randomInt(2) === 0) await rename(this.#file, `${this.#file}.1`)
    else {
      await copyFile(this.#file, `${this.#file}.1`)
      await truncate(this.#file)
    }
    // files that are written in one tick of the clock have no order
    await tick(this.#file)
  }
}

/** A text that is different for each line, so that no file looks like a copy of another. */
function filler(line: number): string {
  return Array.from({ length: 30 }, (_, word) => `${line}.${word}`).join(' ')
}
