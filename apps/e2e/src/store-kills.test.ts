import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { deadline } from '@many-cores/testing'
import type { Program } from './harness/program.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'

/** How many readers are started and killed. `KILLS=500` for a long run of some minutes. */
const KILLS = Number(process.env.KILLS ?? 24)

/** How many run at once: of one log, each with a group of its own. */
const AT_ONCE = 4

test(`of ${AT_ONCE} readers of one log that are killed ${KILLS} times, no store is damaged, no cursor goes back, and nothing is left over`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  let count = 0
  const publish = async (): Promise<void> => {
    await writer.write(Array.from({ length: 20 }, () => `line ${count++}\n`).join(''))
  }
  await publish()
  let kills = 0
  const run = async (group: string): Promise<void> => {
    let position = 0
    while (kills < KILLS) {
      const reader = await sandbox.reader(key, { args: ['--raw', '--group', group] })
      // a random moment while it opens, reads or waits
      await setTimeout(randomInt(1500))
      kills++
      await publish()
      if (randomInt(4) === 0) {
        reader.signal('SIGTERM')
        await deadline('the end of a reader', reader.exitCode('SIGTERM'))
      } else await reader.kill()
      assert.doesNotMatch(reader.stderr.text, /damaged|cannot|restored/, reader.stderr.text)
      const next = await positionOf(sandbox, key, group)
      assert.ok(next >= position, `${group} went back from ${position} to ${next}`)
      checkLines(reader, position)
      position = next
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, group) => run(`g${group}`)))
  // one that is alone has the log's own store, and deletes what the killed ones have left
  const last = await ended(sandbox.reader(key, { args: ['--raw', '--exit', '--from', 'start'] }))
  assert.equal(last.stdout.lineCount, count)
  checkLines(last, 0)
  const logs = await readdir(sandbox.path('reader/logs'))
  assert.deepEqual(
    logs.filter((name) => !name.endsWith('.lock')),
    [key]
  )
  const left = (await readdir(sandbox.path('reader'))).filter((name) => name.startsWith('peer'))
  assert.ok(left.length <= 3, left.join(' '))
  assert.match((await ended(sandbox.reader(key, { command: 'verify' }))).stdout.text, /^verified/)
})

/** The position of a cursor that no process holds. */
async function positionOf(sandbox: Sandbox, key: string, group: string): Promise<number> {
  const text = await readFile(sandbox.path(`reader/cursors/${key}/${group}.json`), 'utf8').catch(() => '{}')
  const { position = 0 } = JSON.parse(text.split('\n')[0] ?? '') as { readonly position?: number }
  return position
}

/** Its lines begin at `position` or, after a kill, a little before, and have no gap. */
function checkLines({ stdout }: Program, position: number): void {
  const numbers = stdout.lines.map((line) => Number(/^line (\d+)$/.exec(line)?.[1]))
  const [first] = numbers
  if (first === undefined) return
  assert.equal(first, position)
  assert.ok(
    numbers.slice(0, -1).every((number, index) => number === first + index),
    'a line is missing'
  )
}
