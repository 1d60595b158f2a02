import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { underLoad } from '../harness/load.ts'
import { numberedLines } from '../harness/samples.ts'
import { keyOf, Sandbox } from '../harness/sandbox.ts'

/** Readers of one writer. `READERS=64` for a long run. */
const READERS = Number(process.env.READERS ?? 16)
const LINES = 2000

/** All readers start at the same time. */
const DEADLINE_MS = 60_000 + READERS * 3000

test(`${READERS} readers on one machine each get every line from one writer, without connections between all of them`, async (t) => {
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
  t.diagnostic(`${connections} connections; a full mesh would have ${(READERS * (READERS + 1)) / 2}`)
  assert.ok(connections >= READERS)
  // each calls the writer, which started first, and three others
  assert.ok(connections <= READERS * 4)
})

/** The number of connected unix sockets in the rendezvous directory of a sandbox. */
async function countConnections(sandbox: Sandbox): Promise<number> {
  const root = sandbox.path('run')
  const [name = ''] = await readdir(join(root, 'many-cores'))
  const directory = join(root, 'many-cores', name)
  const table = await readFile('/proc/net/unix', 'utf8')
  // an accepted socket has the name that its listening socket was bound to, before that was renamed
  return table.split('\n').filter((line) => line.includes(`${directory}/`) && / 0001 03 /.test(line)).length
}

test('a reader serves a new reader when the writer has been killed', async (t) => {
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
