import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import { type FollowOptions, openReader, openWriter, type Reader } from './index.ts'
import { countAt, lineAt } from './testing/burst-lines.ts'
import { createMachine, text } from './testing/support.ts'

/** How many times the writer is killed. `KILLS=1000` for the long run. */
const KILLS = Number(process.env.KILLS ?? 12)

const BURST = new URL('./testing/burst.js', import.meta.url).pathname

test(`a writer killed in a burst ${KILLS} times has each batch in all its cores, the journal and its checkpoint, or in none`, async (t) => {
  const machine = await createMachine(t)
  const log: BurstLog = {
    storage: join(machine.directory, 'w'),
    meet: join(machine.directory, 'meet'),
    key: '',
    length: 0
  }
  await burst(log)
  // one that sees everything as it comes, over all the writer's deaths
  const opening = openReader(await machine.open('r'), log.key, { timeout: 0 }).then(
    (reader) => new Witness(reader)
  )
  for (let kill = 1; kill < KILLS; kill++) await burst(log)

  const node = await machine.open('w')
  const writer = await openWriter(node)
  assert.equal(writer.key, log.key)
  assert.ok(writer.length >= log.length, `${writer.length} lines are there, ${log.length} were acknowledged`)
  const witness = await deadline('the reader', opening)
  const stored = new Witness(await openReader(node, writer.key), { live: false })
  // a million lines in ten seconds, on a machine that is busy with other tests
  const patience = 20_000 + writer.length / 100
  await deadline('what is stored', stored.ended, patience)
  assert.equal(stored.position, writer.length)
  await deadline('the reader to have all', witness.reaches(writer.length), patience)
  t.diagnostic(`${writer.length} lines`)
})

/** What is known of the log from outside. */
interface BurstLog {
  readonly storage: string
  readonly meet: string
  key: string
  /** The last that a writer said to be durable. */
  length: number
}

/** Reads everything, and checks that it is whole batches, in order, without a gap. */
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

/** Runs the writer and kills it at a random moment. */
async function burst(log: BurstLog): Promise<void> {
  const child = spawn(process.execPath, [BURST, log.storage, log.meet], {
    stdio: ['ignore', 'pipe', 'inherit']
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
}
