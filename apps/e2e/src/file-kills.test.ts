import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import { Producer } from './harness/producer.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'
import { readInput } from './harness/stored-log.ts'

/** How many times the writer is killed. `KILLS=200` for a long run. */
const KILLS = Number(process.env.KILLS ?? 8)
const LINES_A_KILL = 5000

test('a file that is rotated continually while it is followed is in the log exactly once', async (t) => {
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
  // the writer must see the first file: it ignores files that were rotated before that
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

test(`a growing, rotated file is in the log exactly once after ${KILLS} kills of its writer`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('in')
  const args = ['--input', file, '--route', 'byte-length:20']
  const producer = new Producer(file)
  // the writer ignores files that were rotated before it had a position
  await producer.produce(1)
  await ended(sandbox.writer({ args: [...args, '--exit'] }))
  for (let kill = 0; kill < KILLS; kill++) {
    const writer = await sandbox.writer({ args })
    const whileDown = randomInt(LINES_A_KILL)
    await producer.produce(whileDown)
    await keyOf(writer)
    // every second writer has begun to publish; on a busy machine, the others are killed while they start
    if (kill % 2 === 0) await writer.stderr.says(`following ${file}`)
    // at a random moment of the writes below
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
