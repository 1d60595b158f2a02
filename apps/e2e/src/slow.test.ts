import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { underLoad } from './harness/load.ts'
import { digest, digestFile, writeSeededLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** `SLOW_LINES=1000000 SLOW_S=60` for a long run. */
const LINES = Number(process.env.SLOW_LINES ?? 200_000)

/** Seconds without a read once everything is published. */
const SLOW_S = Number(process.env.SLOW_S ?? 0)

/** Measured: 196 MB with 1,000,000 lines. Lines that wait to be read are on disk. */
const MOST_MEMORY = 300_000_000

test(`a consumer that reads nothing until all ${LINES} lines are published costs no memory, and then gets them all`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const input = sandbox.path('input')
  await writeSeededLines(input, LINES, 1)
  const writer = await sandbox.writer()
  await writer.write('')
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw'] })
  await reader.stderr.says('connected')
  reader.stdout.pause()
  let bytes = 0
  for await (const chunk of createReadStream(input, { highWaterMark: 1 << 20 })) {
    await writer.write(chunk as Buffer)
    bytes += (chunk as Buffer).byteLength
  }
  writer.end()
  await writer.stderr.until(
    'all lines',
    () => writer.stderr.text.includes(`${LINES} lines published`),
    underLoad(120_000)
  )
  // the test is that nothing happens in this time
  await setTimeout(SLOW_S * 1000)
  assert.ok(reader.stdout.length < 1_000_000, `${reader.stdout.length} bytes were read`)
  await memory('while nothing is read')
  reader.stdout.resume()
  await reader.stdout.until('every byte', () => reader.stdout.length >= bytes, underLoad(120_000))
  assert.deepEqual(await digest(reader.stdout.chunks), await digestFile(input))
  await memory('at the end')

  async function memory(when: string): Promise<void> {
    for (const program of [writer, reader]) {
      const peak = await program.peakMemory()
      t.diagnostic(`${program.name} ${when}: ${Math.round(peak / 1e6)} MB`)
      assert.ok(peak < MOST_MEMORY, `${program.name} ${when}: ${peak} bytes`)
    }
  }
})
