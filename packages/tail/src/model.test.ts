import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { basename } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { deadline, temporary } from '@many-cores/testing'
import { follow, type TailStatus } from './index.ts'
import { decodePlace } from './place.ts'
import { Random } from './testing/random.ts'
import { World, type WorldOptions } from './testing/world.ts'

/** `TAIL_SECONDS=3600` for an hour. */
const SECONDS = Number(process.env.TAIL_SECONDS ?? 6)
/** `TAIL_SEED=…` repeats a run. */
const SEED = process.env.TAIL_SEED

/** So many at a time. */
const WORLDS = 4

/** The clock of a file system may tick only every 4 ms: what happens within a tick has no order. */
const TICK_MS = 5

const GRACE_MS = 40

/** A program that follows a log and stores what it gets, with the place, in one step. */
class Follower {
  stored = ''
  place: string | undefined
  readonly lost: TailStatus[] = []
  readonly #path: string
  readonly #random: Random
  readonly #log: (text: string) => void
  #running: Promise<void> = Promise.resolve()
  #abort = new AbortController()
  /** Held back by a slow consumer. */
  #stall: Promise<void> = Promise.resolve()
  #resume: () => void = () => {}

  constructor(path: string, random: Random, log: (text: string) => void) {
    this.#path = path
    this.#random = random
    this.#log = log
  }

  start(once = false): Promise<void> {
    this.#abort = new AbortController()
    this.#running = this.#run(once)
    return this.#running
  }

  /** As `kill -9`: nothing is stored any more. */
  async kill(): Promise<void> {
    this.#resume()
    this.#abort.abort()
    await this.#running
  }

  stall(): void {
    this.#stall = new Promise((resolve) => {
      this.#resume = resolve
    })
  }

  resume(): void {
    this.#resume()
  }

  async #run(once: boolean): Promise<void> {
    const { signal } = this.#abort
    const pieces = follow(this.#path, {
      ...(this.place !== undefined && { from: this.place }),
      rotated: ['old/app*'],
      grace: GRACE_MS,
      once,
      signal,
      onStatus: (status) => {
        this.#log(JSON.stringify(status))
        if (status.state === 'lost') this.lost.push(status)
      }
    })
    let held = ''
    for await (const piece of pieces) {
      const { bytes, path, offset, endsLine } = piece
      await this.#stall
      if (signal.aborted) return
      const text = Buffer.from(bytes).toString()
      this.#log(
        `  ${basename(path)} ${offset}+${bytes.byteLength} from ${text.split(' ')[0]} to ${text.trimEnd().split('\n').at(-1)?.split(' ')[0]}`
      )
      const isUnterminated = endsLine && text.length > 0 && !text.endsWith('\n')
      held += isUnterminated ? `${text}\n` : text
      if (!endsLine) continue
      // a batch may end after any of the lines
      const newline = text.indexOf('\n', this.#random.below(text.length + 1))
      if (this.#random.once(4) && newline !== -1 && held === text) {
        this.stored += text.slice(0, newline + 1)
        this.place = piece.placeAt(newline + 1)
        held = text.slice(newline + 1)
        // the rest is stored by itself, or not at all
        if (this.#random.once(4)) await elapse(1)
        if (signal.aborted) return
      }
      this.stored += held
      held = ''
      this.place = piece.placeAt()
    }
  }
}

async function run(t: TestContext, seed: number): Promise<void> {
  const followers: Follower[] = []
  try {
    await play(t, seed, followers)
  } finally {
    // one that still runs would keep the process
    for (const follower of followers) await follower.kill()
  }
}

async function play(t: TestContext, seed: number, followers: Follower[]): Promise<void> {
  const random = new Random(seed)
  const keep = random.pick([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 4, 2, 1])
  // where the oldest is not deleted first, the last one that was read tells nothing about those after it
  const options = { appenders: 1 + random.below(3), keep, isMixed: keep > 100 && random.once(2) }
  const events: string[] = [JSON.stringify(options)]
  const log = (text: string): void => void events.push(text)
  const world = new World(await temporary(t), random, options)
  const follower = new Follower(world.path, random, log)
  followers.push(follower)
  /** Of a log of which nothing was read, nothing tells how much of it was packed or copied, and deleted. */
  let mayMiss = false
  let isRunning = true
  let isStalled = false
  void follower.start()
  await deadline(
    'the first look',
    (async () => {
      while (follower.place === undefined) await elapse(1)
    })()
  )
  for (let step = 0; step < 150; step++) {
    log(world.step())
    await elapse(TICK_MS)
    if (random.once(25)) await elapse(GRACE_MS * 3)
    if (!isRunning) {
      if (!random.once(8)) continue
      log('start')
      void follower.start()
      isRunning = true
      isStalled = false
    } else if (isStalled) {
      if (!random.once(6)) continue
      log('resume')
      follower.resume()
      isStalled = false
    } else if (random.once(10)) {
      log('kill')
      await follower.kill()
      isRunning = false
      mayMiss ||= decodePlace(follower.place ?? '').files.at(-1)?.offset === 0
    } else if (keep > 100 && random.once(9)) {
      log('stall')
      follower.stall()
      isStalled = true
    }
  }
  follower.resume()
  await follower.kill()
  world.finish()
  await elapse(GRACE_MS * 2)
  log('last run')
  await deadline('the last run', follower.start(true))
  compare(follower, world, options, mayMiss, `TAIL_SEED=${seed}\n${events.join('\n')}`)
}

function compare(
  follower: Follower,
  world: World,
  { keep, isMixed }: WorldOptions,
  mayMiss: boolean,
  story: string
): void {
  const expected = linesOf(world.written.join(''))
  const found = linesOf(follower.stored)
  const counts = new Map<string, number>()
  for (const line of found) counts.set(line, (counts.get(line) ?? 0) + 1)
  const missing = expected.filter((line) => !counts.has(line))
  const twice = [...counts].filter(([, count]) => count > 1).map(([line]) => line)
  const all = new Set(expected)
  const unknown = found.filter((line) => !all.has(line))
  const some = (lines: readonly string[]): string => `${lines.length}: ${lines.slice(0, 5).join(' ')}`
  assert.equal(twice.length, 0, `lines twice, ${some(twice)}\n${story}`)
  // the rest of a line of which the beginning is lost, or which was cut by a copy of a file that was then renamed
  if (follower.lost.length === 0 && !mayMiss && !isMixed)
    assert.equal(unknown.length, 0, `lines that were not written, ${some(unknown)}\n${story}`)
  // of an empty file that is gone, it is not known whether it had more
  const known = follower.lost.filter((status) => status.state !== 'lost' || status.bytes > 0)
  if (keep > 100) assert.deepEqual(known, [], `losses reported without need\n${story}`)
  if (keep > 100 || (follower.lost.length === 0 && !mayMiss))
    assert.equal(missing.length, 0, `lines missing, ${some(missing)}\n${story}`)
}

/** Each line by its first word, which is unique. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter(Boolean)
}

test('each line is yielded exactly once over rotations, kills and stalls, or reported as lost', async (t) => {
  let runs = 0
  const end = Date.now() + SECONDS * 1000
  let hasFailed = false
  const runMany = async (): Promise<void> => {
    do {
      await run(t, SEED === undefined ? randomInt(2 ** 31) : Number(SEED)).catch((error: unknown) => {
        hasFailed = true
        throw error
      })
      runs++
    } while (SEED === undefined && Date.now() < end && !hasFailed)
  }
  await Promise.all(Array.from({ length: SEED === undefined ? WORLDS : 1 }, runMany))
  t.diagnostic(`${runs} runs`)
})
