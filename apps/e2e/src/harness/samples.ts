import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'

/** The key of no log. */
export const UNKNOWN_KEY = '0123456789abcdef'.repeat(4)

/** A random number generator with a seed: the same numbers in every run. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  // mulberry32
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) % below
  }
}

/** Bytes of any value, with NUL, invalid UTF-8, and about one newline in 256. */
export function randomBytes(length: number, seed: number): Buffer {
  const random = seeded(seed)
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at++) bytes[at] = random(256)
  return bytes
}

const PRINTABLE = Buffer.from(Array.from({ length: 4096 + 200 }, (_, index) => 33 + ((index * 7919) % 94)))

/** One line of `length` bytes, including its newline. */
function seededLine(random: (below: number) => number, length: number): Buffer {
  const from = random(4096)
  const line = Buffer.from(PRINTABLE.subarray(from, from + length))
  line[length - 1] = 0x0a
  return line
}

/** `count` lines: three in ten have 1 to 4 bytes, the others 20 to 200, including the newline. */
export function* seededLines(count: number, seed: number): Generator<Buffer> {
  const random = seeded(seed)
  for (let line = 0; line < count; line++) {
    yield seededLine(random, random(10) < 3 ? 1 + random(4) : 20 + random(181))
  }
}

/** Writes `seededLines` to a file; 1,000,000 of them are 80 MB. */
export async function writeSeededLines(path: string, count: number, seed: number): Promise<void> {
  await using file = await open(path, 'w')
  let chunk: Buffer[] = []
  let length = 0
  for (const line of seededLines(count, seed)) {
    chunk.push(line)
    length += line.byteLength
    if (length < 1024 * 1024) continue
    await file.writeFile(Buffer.concat(chunk))
    chunk = []
    length = 0
  }
  await file.writeFile(Buffer.concat(chunk))
}

/** `count` lines, each with its number, so that a missing, repeated or misplaced line is visible. */
export function numberedLines(from: number, count: number): string {
  return Array.from(
    { length: count },
    (_, index) => `line ${from + index} ${'.'.repeat((from + index) % 60)}\n`
  ).join('')
}

/** The lines from `from` to `to`, exclusive, of a fixed log. Two in three are long. */
export function linesOf(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => lineAt(from + index))
}

function lineAt(position: number): string {
  return position % 3 === 0 ? `${position % 1000}\n` : `line ${position} ${'.'.repeat(position % 97)}\n`
}

export interface Digest {
  readonly bytes: number
  readonly sha256: string
}

/** Length and hash of a byte stream. */
export async function digest(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    bytes += chunk.byteLength
  }
  return { bytes, sha256: hash.digest('hex') }
}

export function digestFile(path: string): Promise<Digest> {
  return digest(createReadStream(path, { highWaterMark: 1024 * 1024 }))
}
