import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { cutPower, DEADLINE_MS, recordSyncs } from '@many-cores/testing'
import { underLoad } from './harness/load.ts'
import type { Program } from './harness/program.ts'
import { linesOf } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** Kills of writer or reader. `KILLS=200` for a long run of 1,000,000 lines. */
const KILLS = Number(process.env.KILLS ?? 6)
/** Power cuts of writer or reader. `POWER_CUTS=200` for a long run. */
const POWER_CUTS = Number(process.env.POWER_CUTS ?? 6)
const LINES_A_KILL = 5000

for (const { what, count, isPowerCut } of [
  { what: 'are killed', count: KILLS, isPowerCut: false },
  { what: 'lose power', count: POWER_CUTS, isPowerCut: true }
]) {
  test(`a growing file is copied byte for byte while writer --input and reader --output ${what} ${count} times`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const [source, copy] = [sandbox.path('source'), sandbox.path('copy')]
    const record = sandbox.path('record')
    const env = isPowerCut ? recordSyncs(record) : {}
    await writeFile(source, '')
    const write = (): Promise<Program> => sandbox.writer({ args: ['--input', source], env })
    let writer = await write()
    const key = await keyOf(writer)
    const read = (): Promise<Program> => sandbox.reader(key, { args: ['--output', copy], env })
    let reader = await read()

    for (let kill = 0; kill < count; kill++) {
      await appendFile(source, linesOf(kill * LINES_A_KILL, (kill + 1) * LINES_A_KILL).join(''))
      // a random moment while they start, catch up or wait
      await setTimeout(randomInt(600))
      if (randomInt(2) === 0) {
        await writer.kill()
        if (isPowerCut) await cutPower({ storage: sandbox.path('writer'), record })
        writer = await write()
      } else {
        await reader.kill()
        if (isPowerCut) await cutPower({ storage: sandbox.path('reader'), record, files: [copy] })
        reader = await read()
      }
    }
    await grown(copy, (await stat(source)).size, { writer, reader })
    for (const program of [writer, reader]) {
      // a program that has just started does not handle signals yet
      await program.stderr.says('opening the store')
      program.signal('SIGTERM')
      await program.ends(143)
    }
    assert.ok((await readFile(copy)).equals(await readFile(source)), 'the copy differs from the file')
  })
}

/** Resolves when `file` has `size` bytes. */
async function grown(
  file: string,
  size: number,
  { writer, reader }: { writer: Program; reader: Program }
): Promise<void> {
  const deadline = Date.now() + underLoad(2 * DEADLINE_MS)
  // the reader creates it once it has found the log
  const sizeNow = async (): Promise<number> => (await stat(file).catch(() => ({ size: 0 }))).size
  while ((await sizeNow()) < size) {
    const said = `${writer.stderr.text}${reader.stderr.text}`
    assert.ok(writer.isRunning && reader.isRunning, `one of the two has ended: ${said}`)
    assert.ok(Date.now() < deadline, `the copy has ${await sizeNow()} of ${size} bytes: ${said}`)
    await setTimeout(50)
  }
}
