import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { Producer } from './harness/producer.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'
import { readInput } from './harness/stored-log.ts'

/** How many times the writer is killed. `KILLS=200` for the long run. */
const KILLS = Number(process.env.KILLS ?? 8)
const LINES_A_KILL = 5000

test('a file that is rotated all the time while it is followed is in the log exactly once', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  await writeFile(file, '')
  const writer = await sandbox.writer({ args: ['--input', file] })
  const { stdout } = await sandbox.reader(await keyOf(writer), { args: ['--raw'] })
  const producer = new Producer(file, { linesAtOnce: 50, appendsARotation: 4 })
  const allRead = async (): Promise<void> => {
    const { written } = producer
    await stdout.until(`${written.byteLength} bytes`, () => stdout.length >= written.byteLength)
    assert.ok(stdout.bytes.equals(written), `they differ from byte ${firstDifference(stdout.bytes, written)}`)
  }
  // the first file must have been seen: what was rotated before that is none of ours
  await producer.produce(1)
  await producer.finish()
  await allRead()
  await producer.produce(LINES_A_KILL)
  await producer.finish()
  await allRead()
  t.diagnostic(`${stdout.length} bytes of ${producer.rotated} rotations`)
  writer.signal('SIGTERM')
  await writer.ends(143)
})

test(`a file that grows and is rotated is in the log exactly once after ${KILLS} times kill -9`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  const args = ['--input', file, '--route', 'byte-length:20']
  const producer = new Producer(file)
  // files that were rotated before there was a place are none of ours
  await producer.produce(1)
  await ended(sandbox.writer({ args: [...args, '--exit'] }))
  for (let kill = 0; kill < KILLS; kill++) {
    const writer = await sandbox.writer({ args })
    const whileDown = randomInt(LINES_A_KILL)
    await producer.produce(whileDown)
    await keyOf(writer)
    // every other one has begun to publish: a busy machine gets no further than the start
    if (kill % 2 === 0) await writer.stderr.says(`following ${file}`)
    // at a random moment of what follows, not after some time
    const killed = elapse(randomInt(40)).then(() => writer.kill())
    await Promise.all([producer.produce(LINES_A_KILL - whileDown), killed])
  }
  const { stderr } = await ended(sandbox.writer({ args: [...args, '--exit'] }))
  const log = await readInput(sandbox.path('writer'))
  t.diagnostic(`${log.byteLength} bytes of ${producer.rotated} rotations`)
  const isSame = log.equals(producer.written)
  if (!isSame && process.env.KEEP !== undefined) {
    await writeFile(join(process.env.KEEP, 'log'), log)
    await writeFile(join(process.env.KEEP, 'written'), producer.written)
  }
  assert.ok(isSame, `log and file differ from byte ${firstDifference(log, producer.written)}; ${stderr.text}`)
})

function firstDifference(a: Buffer, b: Buffer): number {
  const length = Math.min(a.byteLength, b.byteLength)
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return at
  return length
}
