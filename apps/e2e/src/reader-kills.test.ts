import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { underLoad } from './harness/load.ts'
import type { Program } from './harness/program.ts'
import { numberedLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** How many times the reader is killed. `KILLS=200` for a long run. */
const KILLS = Number(process.env.KILLS ?? 4)

/** Meanwhile, the writer publishes this many lines at this interval: 40,000 a second. */
const LINES = 1000
const PUBLISH_MS = 25

/** The most lines that may be repeated after a kill: 1,000, … */
const MOST_TWICE = 1000

/** … or those of the last 100 ms, and of the time that a commit takes. */
const LATELY_MS = 100
const COMMIT_MS = 50

test(`a reader that is killed ${KILLS} times misses no line, and repeats at most 1,000, or those of the last 100 ms`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  const stream = new Stream(writer)
  const twice: number[] = []
  let delivered: Delivered = { end: 0, lately: 0 }
  for (let kill = 0; kill < KILLS; kill++) {
    const reader = await sandbox.reader(key, { args: ['--raw'] })
    // a random moment while it catches up or follows; one in five times, perhaps while it starts
    if (randomInt(5) > 0) await reader.stdout.firstLines(1)
    // half of the time, it waits for a full pipe: the lines that it did not write must be printed later
    if (randomInt(2) === 0) reader.stdout.pause()
    await setTimeout(randomInt(300))
    const killed = performance.now()
    await reader.kill()
    const { first, end } = check(reader, delivered)
    if (first === end) continue
    if (delivered.end > 0) twice.push(delivered.end - first)
    delivered = { end, lately: reader.stdout.linesSince(killed - underLoad(LATELY_MS + COMMIT_MS)) }
  }
  const total = await stream.end()
  const last = await sandbox.reader(key, { args: ['--raw', '--exit'] })
  await last.ends(0)
  assert.equal(check(last, delivered).end, total)
  t.diagnostic(`${total} lines; twice, after each kill: ${twice.join(' ')}`)
})

/** What a killed reader has printed. */
interface Delivered {
  /** The position after its last line. */
  readonly end: number
  /** How many lines it printed just before it was killed. */
  readonly lately: number
}

/** The range of lines that were printed. Throws if one is missing or out of order, or too many are repeated. */
function check({ stdout }: Program, before: Delivered): { first: number; end: number } {
  // a line that the kill cut off is printed again as a whole
  const lines = stdout.lines
  const [first = before.end] = lines.map(numberOf)
  assert.ok(first <= before.end, `lines from ${before.end} to ${first} are missing`)
  const most = Math.max(MOST_TWICE, before.lately)
  assert.ok(before.end - first <= most, `${before.end - first} lines are repeated; ${most} may be`)
  for (const [index, line] of lines.entries()) assert.equal(numberOf(line), first + index)
  return { first, end: first + lines.length }
}

function numberOf(line: string): number {
  return Number(/^line (\d+) /.exec(line)?.[1])
}

/** Writes lines to a writer until `end`. */
class Stream {
  readonly #writing: Promise<number>
  #isEnding = false

  constructor(writer: Program) {
    this.#writing = this.#write(writer)
    this.#writing.catch(() => {})
  }

  /** Resolves to the number of lines, once the writer has published them. */
  end(): Promise<number> {
    this.#isEnding = true
    return this.#writing
  }

  async #write(writer: Program): Promise<number> {
    let lines = 0
    for (; !this.#isEnding; lines += LINES) {
      await writer.write(numberedLines(lines, LINES))
      await setTimeout(PUBLISH_MS)
    }
    writer.end()
    await writer.stderr.says('lines published')
    return lines
  }
}
