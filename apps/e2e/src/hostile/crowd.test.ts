import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { underLoad } from '../harness/patience.ts'
import { numberedLines } from '../harness/samples.ts'
import { keyOf, Sandbox } from '../harness/sandbox.ts'

/** How many readers one writer has. `READERS=64` for what must hold on a laptop. */
const READERS = Number(process.env.READERS ?? 16)
const LINES = 2000

/** Each has its start to go through, and so have all the others. */
const DEADLINE_MS = 60_000 + READERS * 3000

test(`${READERS} readers of one machine each get everything from one writer, and are not all connected with all`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write(numberedLines(0, LINES))
  const began = performance.now()
  const readers = await Promise.all(
    Array.from({ length: READERS }, (_, number) =>
      sandbox.reader(key, { storage: `r${number}`, args: ['--raw'] })
    )
  )
  const all = (count: number): Promise<unknown> =>
    Promise.all(
      readers.map(({ stdout }) =>
        stdout.until(`${count} lines`, () => stdout.lineCount >= count, underLoad(DEADLINE_MS))
      )
    )
  await all(LINES)
  const history = performance.now() - began
  await writer.write(numberedLines(LINES, LINES))
  const live = performance.now()
  await all(2 * LINES)
  t.diagnostic(
    `history after ${Math.round(history)} ms, live after ${Math.round(performance.now() - live)} ms`
  )
  const expected = numberedLines(0, 2 * LINES)
  for (const { stdout } of readers) assert.equal(stdout.text, expected)

  const connections = await countConnections(sandbox)
  t.diagnostic(`${connections} connections; all with all would be ${(READERS * (READERS + 1)) / 2}`)
  assert.ok(connections >= READERS)
  // each calls the writer, who was there before, and three others
  assert.ok(connections <= READERS * 4)
})

/** How many unix sockets are connected in the rendezvous directories of a sandbox. */
async function countConnections(sandbox: Sandbox): Promise<number> {
  const root = sandbox.path('run')
  const [place = ''] = await readdir(join(root, 'many-cores'))
  const directory = join(root, 'many-cores', place)
  const table = await readFile('/proc/net/unix', 'utf8')
  // the accepted end has the name that the listening one was bound to, before it was renamed
  return table.split('\n').filter((line) => line.includes(`${directory}/`) && / 0001 03 /.test(line)).length
}

test('readers go on with each other when the writer has left', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  await writer.write(numberedLines(0, LINES))
  const first = await sandbox.reader(key, { storage: 'r0', args: ['--raw'] })
  await first.stdout.firstLines(LINES)
  await writer.kill()
  const late = await sandbox.reader(key, { storage: 'r1', args: ['--raw', '--exit'] })
  await late.ends(0)
  assert.equal(late.stdout.text, numberedLines(0, LINES))
})
