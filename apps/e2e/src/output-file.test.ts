import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Writer } from '@many-cores/node'
import { deadline } from '@many-cores/testing'
import { linesOf } from './harness/samples.ts'
import { ended, Sandbox } from './harness/sandbox.ts'

/** How many times the reader is killed. `KILLS=200` for a long run. */
const KILLS = Number(process.env.KILLS ?? 8)

/** The log is at most this far ahead of the file, so that the reader does not have to catch up at the end. */
const MAX_AHEAD_BYTES = 2 << 20

/** Publishes lines, a little ahead of the file, until the returned function is called. */
function publishOn(writer: Writer, path: string): () => Promise<void> {
  let stopped = false
  let bytes = 0
  const publishing = (async () => {
    while (!stopped) {
      const lines = linesOf(writer.length, writer.length + randomInt(1, 400))
      if (bytes - (await sizeOf(path)) < MAX_AHEAD_BYTES) {
        await writer.publish(lines)
        bytes += Buffer.byteLength(lines.join(''))
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  return async () => {
    stopped = true
    await publishing
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0
}

/** Kills a reader at a random moment: while it starts, or once it has written some more. */
async function killOnce(sandbox: Sandbox, key: string, path: string): Promise<void> {
  const before = await sizeOf(path)
  const reader = await sandbox.reader(key, { args: ['--output', path] })
  const grows = async (): Promise<void> => {
    while ((await sizeOf(path)) <= before && reader.isRunning) await new Promise(setImmediate)
  }
  if (randomInt(4) > 0) await deadline('the file to grow', grows())
  await new Promise((resolve) => setTimeout(resolve, randomInt(0, 250)))
  assert.ok(reader.isRunning, 'the reader was alive')
  await reader.kill()
}

test(`a file has every line of the log exactly once after its reader was killed ${KILLS} times`, async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 1000))
  const path = sandbox.path('copy')
  const stop = publishOn(writer, path)
  for (let kill = 0; kill < KILLS; kill++) await killOnce(sandbox, writer.key, path)
  await stop()
  const { stdout } = await ended(sandbox.reader(writer.key, { args: ['--output', path, '--exit'] }))
  assert.equal(stdout.length, 0)
  const expected = Buffer.from(linesOf(0, writer.length).join(''))
  const found = await readFile(path)
  t.diagnostic(`${writer.length} lines, ${found.byteLength} bytes, ${KILLS} kills`)
  assert.ok(found.equals(expected), `${found.byteLength} bytes, not the ${expected.byteLength} expected`)
})

test('a file starts at the position of the first run, whatever later runs ask for', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  const path = sandbox.path('copy')
  await ended(sandbox.reader(writer.key, { args: ['--output', path, '--tail', '10', '--count', '4'] }))
  assert.equal(await readFile(path, 'utf8'), linesOf(90, 94).join(''))
  await ended(sandbox.reader(writer.key, { args: ['--output', path, '--tail', '2', '--exit'] }))
  assert.equal(await readFile(path, 'utf8'), linesOf(90, 100).join(''))
  const { stdout } = await ended(sandbox.reader(writer.key, { args: ['--raw', '--exit'] }))
  assert.equal(stdout.text, linesOf(0, 100).join(''), 'the group has another cursor')
})

test('a file that starts at the end of the log gets the later lines', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  for (const [name, beginning] of [
    ['a', ['--tail', '0']],
    ['b', ['--from', '-0']]
  ] as const) {
    const args = ['--output', sandbox.path(name), '--exit']
    await ended(sandbox.reader(writer.key, { args: [...beginning, ...args] }))
    await writer.publish(['later\n'])
    await ended(sandbox.reader(writer.key, { args }))
    assert.equal(await readFile(sandbox.path(name), 'utf8'), 'later\n')
  }
})

test('bytes after the committed length are cut off; with --format, too', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['a\n', 'b\n'])
  const path = sandbox.path('copy')
  const args = ['--output', path, '--format', '%o:%s;', '--exit']
  await ended(sandbox.reader(writer.key, { args }))
  await appendFile(path, 'written and not committed')
  await writer.publish(['c\n'])
  await ended(sandbox.reader(writer.key, { args }))
  assert.equal(await readFile(path, 'utf8'), '0:a;1:b;2:c;')
})

test('a file that the reader did not write is refused with 8, and stays as it is', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(['a\n', 'b\n'])
  const own = sandbox.path('own')
  const foreign = sandbox.path('foreign')
  await writeFile(foreign, 'dear reader')
  await ended(sandbox.reader(writer.key, { args: ['--output', own, '--exit'] }))
  const refusals: [readonly string[], RegExp][] = [
    [['--output', foreign], /foreign: this reader did not write its 11 bytes/],
    [['--output', own, '--group', 'other'], /own: this reader did not write its 4 bytes/],
    [['--output', sandbox.path('.')], /cannot write/],
    [['--output', '/dev/null'], /not a regular file/],
    [['--output', sandbox.path('no/where')], /cannot write/]
  ]
  for (const [args, message] of refusals) {
    const { stderr } = await ended(sandbox.reader(writer.key, { args: [...args, '--exit'] }), 8)
    assert.match(stderr.text, message)
  }
  assert.equal(await readFile(foreign, 'utf8'), 'dear reader')
  await truncate(own, 3)
  const { stderr } = await ended(sandbox.reader(writer.key, { args: ['--output', own, '--exit'] }), 8)
  assert.match(stderr.text, /3 bytes, but 4 were committed/)
})
