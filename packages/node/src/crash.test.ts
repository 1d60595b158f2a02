import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { cutPower, deadline, recordSyncs } from '@many-cores/testing'
import { type FollowOptions, openReader, openWriter, type Reader } from './index.ts'
import { countAt, lineAt } from './testing/burst-lines.ts'
import { createMachine, text } from './testing/support.ts'

/** How many times the writer is killed. `KILLS=1000` for the long run. */
const KILLS = Number(process.env.KILLS ?? 12)

/** How many times its power is cut. `POWER_CUTS=200` for the long run. */
const POWER_CUTS = Number(process.env.POWER_CUTS ?? 12)

const BURST = new URL('./testing/burst.js', import.meta.url).pathname

for (const { what, count, isPowerCut } of [
  { what: 'killed', count: KILLS, isPowerCut: false },
  { what: 'whose machine loses power', count: POWER_CUTS, isPowerCut: true }
]) {
  test(`a writer ${what} ${count} times has all of each batch or nothing, in cores, journal and checkpoint, and every line that was acknowledged or delivered`, async (t) => {
    const machine = await createMachine(t)
    const log: BurstLog = {
      storage: join(machine.directory, 'w'),
      rendezvous: join(machine.directory, 'meet'),
      record: isPowerCut ? join(machine.directory, 'record') : null,
      key: '',
      length: 0
    }
    await burst(log)
    // these readers follow the log over all restarts of the writer
    const openings = ['r', 's'].map(async (name) => {
      const reader = await openReader(await machine.open(name), log.key, { timeout: 0 })
      return new Witness(reader)
    })
    for (let cut = 1; cut < count; cut++) await burst(log)

    const node = await machine.open('w')
    const writer = await openWriter(node)
    assert.equal(writer.key, log.key)
    assert.ok(
      writer.length >= log.length,
      `${writer.length} lines are stored, ${log.length} were acknowledged`
    )
    // nothing was recovered from the readers: they have no line that the store lacks
    const { length } = writer
    await writer.acknowledged(0)
    assert.equal(writer.length, length)
    const witnesses = await deadline('the readers', Promise.all(openings))
    const stored = new Witness(await openReader(node, writer.key), { live: false })
    // a million lines in ten seconds, on a machine that is busy with other tests
    const timeout = 20_000 + writer.length / 100
    await deadline('the stored lines', stored.ended, timeout)
    assert.equal(stored.position, writer.length)
    const having = witnesses.map((witness) => witness.reaches(writer.length))
    await deadline('the readers to have all', Promise.all(having), timeout)
    t.diagnostic(`${writer.length} lines`)
  })
}

/** The log, as the test knows it from the writer's output. */
interface BurstLog {
  readonly storage: string
  readonly rendezvous: string
  /** The file that records the writer's syncs, if its power is cut. */
  readonly record: string | null
  key: string
  /** The last length that a writer reported as durable. */
  length: number
}

/** Reads the log, and checks that it gets whole batches, in order, without a gap. */
class Witness {
  position = 0
  /** Rejects with the first fault. */
  readonly ended: Promise<void>
  #wake = (): void => {}

  constructor(reader: Reader, options: FollowOptions = {}) {
    this.ended = this.#read(reader, options)
    this.ended.catch(() => this.#wake())
  }

  async reaches(position: number): Promise<void> {
    while (this.position < position) {
      const progress = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      await Promise.race([progress, this.ended])
    }
  }

  async #read(reader: Reader, options: FollowOptions): Promise<void> {
    for await (const batch of reader.batches(options)) {
      assert.equal(batch.count, countAt(this.position), `the batch at ${this.position} is not whole`)
      for (const { position, line } of batch) {
        assert.equal(position, this.position++)
        assert.equal(text(line), lineAt(position))
      }
      this.#wake()
    }
  }
}

/** Runs the writer and kills it, or cuts its power, at a random moment. */
async function burst(log: BurstLog): Promise<void> {
  const { storage, rendezvous, record } = log
  const child = spawn(process.execPath, [BURST, storage, rendezvous], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(record !== null && recordSyncs(record)) }
  })
  const exited = once(child, 'exit')
  const acknowledgements = randomInt(1, 12)
  let seen = 0
  let key: string | null = null
  for await (const line of createInterface({ input: child.stdout })) {
    if (key === null) {
      key = line
      if (log.key !== '') assert.equal(key, log.key)
      log.key = key
      continue
    }
    const length = Number(line)
    assert.ok(length >= log.length, `a start found ${length} lines, ${log.length} were acknowledged`)
    log.length = length
    if (++seen === acknowledgements) setTimeout(() => child.kill('SIGKILL'), Math.random() * 5)
  }
  await deadline('the kill', exited)
  assert.equal(child.signalCode, 'SIGKILL', 'it ended by itself')
  if (record !== null) await cutPower({ storage, record })
}
