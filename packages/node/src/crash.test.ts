import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { openReader, openWriter } from './index.ts'
import { createMachine, deadline, text } from './testing/support.ts'

/** How many times the writer is killed. `KILLS=1000` for the long run. */
const KILLS = Number(process.env.KILLS ?? 12)

const BURST = new URL('./testing/burst.js', import.meta.url).pathname

test(`a writer killed in a burst ${KILLS} times has each batch in all its cores, the journal and its checkpoint, or in none`, async (t) => {
  const machine = await createMachine(t)
  const storage = join(machine.directory, 'w')
  let acknowledged = 0
  for (let kill = 0; kill < KILLS; kill++) acknowledged = await burst(storage, acknowledged)

  const node = await machine.open('w')
  const writer = await openWriter(node)
  assert.ok(
    writer.length >= acknowledged,
    `${writer.length} lines are there, ${acknowledged} were acknowledged`
  )
  const reader = await openReader(node, writer.key)
  let position = 0
  for await (const entry of reader.follow({ live: false })) {
    assert.equal(entry.position, position)
    assert.equal(text(entry.line), position % 3 === 0 ? `${position % 1000}\n` : `line ${position}\n`)
    position++
  }
  assert.equal(position, writer.length)
})

/** Runs the writer and kills it at a random moment; returns what it last said to be durable. */
async function burst(storage: string, before: number): Promise<number> {
  const child = spawn(process.execPath, [BURST, storage], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let acknowledged = before
  const acknowledgements = randomInt(1, 12)
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const length = Number(line)
    assert.ok(length >= acknowledged, `a start found ${length} lines, ${acknowledged} were acknowledged`)
    acknowledged = length
    if (++seen === acknowledgements) setTimeout(() => child.kill('SIGKILL'), Math.random() * 5)
  }
  await deadline('the kill', exited)
  assert.equal(child.signalCode, 'SIGKILL', 'it ended by itself')
  return acknowledged
}
