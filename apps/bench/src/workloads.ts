import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** What is published in a measurement: lines in a file, the same for the same name and count on any machine. */
export interface Workload {
  readonly name: WorkloadName
  readonly file: string
  readonly lines: number
  readonly bytes: number
  /** The routing rule that the writer gets; its default where it is left out. */
  readonly route?: string
}

export type WorkloadName = 'W1' | 'W2' | 'W3' | 'W4'

interface Shape {
  /** The length of the next line, terminator included. */
  readonly length: (random: Random) => number
  readonly route?: string
}

/** A whole number from 0 to `below`, exclusive. */
type Random = (below: number) => number

const mixed: Shape['length'] = (random) => (random(10) < 3 ? 1 + random(4) : 20 + random(181))

const SHAPES: Readonly<Record<WorkloadName, Shape>> = {
  /** 30 % of 1 to 4 bytes, 70 % of 20 to 200. */
  W1: { length: mixed },
  W2: { length: () => 4096 },
  W3: { length: () => 65_536 },
  /** The lines of W1, over 8 cores. */
  W4: { length: mixed, route: 'hash:8' }
}

const SEED = 0x6d616e79
const POOL_BYTES = 1024 * 1024
const CHUNK_BYTES = 1024 * 1024
const LONGEST_LINE = 65_536
const NEWLINE = 0x0a

/** Writes the first `lines` lines of a workload to `directory`: fewer lines are a prefix of more. Memory does not depend on how many. */
export function createWorkload(directory: string, name: WorkloadName, lines: number): Workload {
  const file = join(directory, `${name}-${lines}`)
  const shape = SHAPES[name]
  const route = shape.route === undefined ? {} : { route: shape.route }
  return { name, file, lines, bytes: writeLines(file, shape, lines), ...route }
}

function writeLines(file: string, { length }: Shape, lines: number): number {
  const random = createRandom(SEED)
  const pool = createPool(random)
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES + LONGEST_LINE)
  const descriptor = openSync(file, 'w')
  let filled = 0
  let bytes = 0
  const flush = (): void => {
    // on Linux a write to a file is short only where the disk is full, and the next one says so
    for (let written = 0; written < filled; )
      written += writeSync(descriptor, chunk, written, filled - written)
    bytes += filled
    filled = 0
  }
  try {
    for (let line = 0; line < lines; line++) {
      const size = length(random)
      const from = random(POOL_BYTES - size)
      filled += pool.copy(chunk, filled, from, from + size)
      chunk[filled - 1] = NEWLINE
      if (filled >= CHUNK_BYTES) flush()
    }
    flush()
  } finally {
    closeSync(descriptor)
  }
  return bytes
}

/** Printable characters without a pattern that a compressor could use. */
function createPool(random: Random): Buffer {
  const pool = Buffer.allocUnsafe(POOL_BYTES)
  for (let index = 0; index < POOL_BYTES; index++) pool[index] = 0x20 + random(95)
  return pool
}

/** mulberry32: small, fast, and good enough to choose lengths and letters. */
function createRandom(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 0x1_0000_0000) * below)
  }
}
