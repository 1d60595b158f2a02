import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { temporary } from '@many-cores/testing'
import { Producer } from './testing/producer.ts'
import { LiveLog, readLog, runWriter, WriterProcess } from './testing/support.ts'

/** How many times the writer is killed. `KILLS=200` for the long run. */
const KILLS = Number(process.env.KILLS ?? 8)
const LINES_A_KILL = 5000

test('a file that is rotated all the time while it is followed is in the log exactly once', async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  await writeFile(file, '')
  const writer = new WriterProcess(t, directory, '--input', file)
  const key = await writer.key()
  const producer = new Producer(file, { linesAtOnce: 50, appendsARotation: 4 })
  // the first file must have been seen: what was rotated before that is none of ours
  const log = await LiveLog.open(t, directory, key)
  await producer.produce(1)
  await producer.finish()
  await log.until(producer.written.toString())
  await producer.produce(LINES_A_KILL)
  await producer.finish()
  await log.until(producer.written.toString())
  t.diagnostic(`${log.text.length} bytes of ${producer.rotated} rotations`)
  assert.equal(await writer.ended('SIGTERM'), 143, writer.stderr)
})

test(`a file that grows and is rotated is in the log exactly once after ${KILLS} times kill -9`, async (t) => {
  const directory = await temporary(t)
  const file = join(directory, 'in')
  const argv = ['--input', file, '--route', 'byte-length:20']
  const producer = new Producer(file)
  // files that were rotated before there was a place are none of ours
  await producer.produce(1)
  await runWriter(t, directory, { argv: [...argv, '--exit'] })
  let key = ''
  for (let kill = 0; kill < KILLS; kill++) {
    const writer = new WriterProcess(t, directory, ...argv)
    const whileDown = randomInt(LINES_A_KILL)
    await producer.produce(whileDown)
    key = await writer.key()
    // every other one has begun to publish: a busy machine gets no further than the start
    if (kill % 2 === 0) await writer.heard(`following ${file}`)
    // at a random moment of what follows, not after some time
    const killed = elapse(randomInt(40)).then(() => writer.ended('SIGKILL'))
    await Promise.all([producer.produce(LINES_A_KILL - whileDown), killed])
  }
  const said = await runWriter(t, directory, { argv: [...argv, '--exit'] })
  const log = await readLog(directory, key)
  t.diagnostic(`${log.byteLength} bytes of ${producer.rotated} rotations`)
  const isSame = log.equals(producer.written)
  if (!isSame && process.env.KEEP !== undefined) {
    await writeFile(join(process.env.KEEP, 'log'), log)
    await writeFile(join(process.env.KEEP, 'written'), producer.written)
  }
  assert.ok(isSame, `log and file differ from byte ${firstDifference(log, producer.written)}; ${said}`)
})

function firstDifference(a: Buffer, b: Buffer): number {
  const length = Math.min(a.byteLength, b.byteLength)
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return at
  return length
}
