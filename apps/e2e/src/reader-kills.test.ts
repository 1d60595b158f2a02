import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { underLoad } from './harness/patience.ts'
import type { Program } from './harness/program.ts'
import { numberedLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** How many times the reader is killed. `KILLS=200` for the long run. */
const KILLS = Number(process.env.KILLS ?? 4)

/** Published meanwhile, so many every so often: 40,000 a second. */
const LINES = 1000
const PUBLISH_MS = 25

/** What may come twice after a kill: so many lines, … */
const MOST_TWICE = 1000

/** … or those of so long, and of the time that it takes to remember them. */
const LATELY_MS = 100
const COMMIT_MS = 50

test(`standard output of a reader that is killed ${KILLS} times has every line in order, and few of them twice`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  const stream = new Stream(writer)
  const twice: number[] = []
  let delivered: Delivered = { end: 0, lately: 0 }
  for (let kill = 0; kill < KILLS; kill++) {
    const reader = await sandbox.reader(key, { args: ['--raw'] })
    // a random moment of catching up or following; now and then of the start
    if (randomInt(5) > 0) await reader.stdout.firstLines(1)
    // now and then it stands before a full pipe: what it could not write must come again
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
  /** Behind its last line. */
  readonly end: number
  /** How many lines came just before it was killed. */
  readonly lately: number
}

/** Which lines the reader has printed; throws where one is missing, out of order, or too many come again. */
function check({ stdout }: Program, before: Delivered): { first: number; end: number } {
  // one that was torn by the kill comes again as a whole
  const lines = stdout.lines
  const [first = before.end] = lines.map(numberOf)
  assert.ok(first <= before.end, `lines from ${before.end} to ${first} are missing`)
  const most = Math.max(MOST_TWICE, before.lately)
  assert.ok(before.end - first <= most, `${before.end - first} lines come again; ${most} may`)
  for (const [index, line] of lines.entries()) assert.equal(numberOf(line), first + index)
  return { first, end: first + lines.length }
}

function numberOf(line: string): number {
  return Number(/^line (\d+) /.exec(line)?.[1])
}

/** Lines that a writer is given all the time. */
class Stream {
  readonly #writing: Promise<number>
  #isEnding = false

  constructor(writer: Program) {
    this.#writing = this.#write(writer)
    this.#writing.catch(() => {})
  }

  /** Resolves, once the writer has published them, to how many there were. */
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
