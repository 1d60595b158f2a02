import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Writer } from '@many-cores/node'
import { deadline } from '@many-cores/testing'
import { createWorld, linesOf, type World } from './testing/support.ts'

/** How many times the reader is killed. `KILLS=200` for the long run. */
const KILLS = Number(process.env.KILLS ?? 8)

/** So much the log is ahead of the file at most, which the reader would otherwise have to catch up with at the end. */
const MAX_AHEAD_BYTES = 2 << 20

/** Publishes a little ahead of what the file has, until it is told to stop. */
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
async function killOnce(world: World, key: string, path: string): Promise<void> {
  const before = await sizeOf(path)
  const { child, ended } = world.read(['--output', path, key])
  const grows = async (): Promise<void> => {
    while ((await sizeOf(path)) <= before && child.exitCode === null) await new Promise(setImmediate)
  }
  if (randomInt(4) > 0) await deadline('the file to grow', grows())
  await new Promise((resolve) => setTimeout(resolve, randomInt(0, 250)))
  assert.equal(child.exitCode, null, 'the reader was alive')
  child.kill('SIGKILL')
  await ended
}

test(`a file is byte for byte the log after its reader was killed ${KILLS} times`, async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(linesOf(0, 1000))
  const path = join(world.directory, 'copy')
  const stop = publishOn(writer, path)
  for (let kill = 0; kill < KILLS; kill++) await killOnce(world, writer.key, path)
  await stop()
  const { code, stderr, stdout } = await world.read(['--output', path, '--exit', writer.key]).ended
  assert.equal(code, 0, stderr)
  assert.equal(stdout.byteLength, 0)
  const expected = Buffer.from(linesOf(0, writer.length).join(''))
  const found = await readFile(path)
  t.diagnostic(`${writer.length} lines, ${found.byteLength} bytes, ${KILLS} kills`)
  assert.ok(found.equals(expected), `${found.byteLength} bytes, not the ${expected.byteLength} expected`)
})

test('a file begins where it was told the first time, whatever it is told later', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(linesOf(0, 100))
  const path = join(world.directory, 'copy')
  await world.read(['--output', path, '--tail', '10', '--count', '4', writer.key]).ended
  assert.equal(await readFile(path, 'utf8'), linesOf(90, 94).join(''))
  await world.read(['--output', path, '--tail', '2', '--exit', writer.key]).ended
  assert.equal(await readFile(path, 'utf8'), linesOf(90, 100).join(''))
  const { stdout } = await world.read(['--raw', '--exit', writer.key]).ended
  assert.equal(stdout.toString(), linesOf(0, 100).join(''), 'the cursor of the group is another one')
})

test('a file that begins with none of the last lines gets what comes later', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(linesOf(0, 100))
  for (const [name, beginning] of [
    ['a', ['--tail', '0']],
    ['b', ['--from', '-0']]
  ] as const) {
    const args = ['--output', join(world.directory, name), '--exit', writer.key]
    const { code, stderr } = await world.read([...beginning, ...args]).ended
    assert.equal(code, 0, stderr)
    await writer.publish(['later\n'])
    await world.read(args).ended
    assert.equal(await readFile(join(world.directory, name), 'utf8'), 'later\n')
  }
})

test('what stands behind the committed length is cut off; another format can be asked for', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(['a\n', 'b\n'])
  const path = join(world.directory, 'copy')
  const args = ['--output', path, '--format', '%o:%s;', '--exit', writer.key]
  await world.read(args).ended
  await appendFile(path, 'written and not committed')
  await writer.publish(['c\n'])
  const { code, stderr } = await world.read(args).ended
  assert.equal(code, 0, stderr)
  assert.equal(await readFile(path, 'utf8'), '0:a;1:b;2:c;')
})

test('a file that is not its own is refused with 8 and stays as it was', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(['a\n', 'b\n'])
  const own = join(world.directory, 'own')
  const foreign = join(world.directory, 'foreign')
  await writeFile(foreign, 'dear reader')
  await world.read(['--output', own, '--exit', writer.key]).ended
  const refusals: [readonly string[], RegExp][] = [
    [['--output', foreign], /foreign: it has 11 bytes that this reader did not write/],
    [['--output', own, '--group', 'other'], /own: it has 4 bytes that this reader did not write/],
    [['--output', world.directory], /cannot be written/],
    [['--output', '/dev/null'], /it is no plain file/],
    [['--output', join(world.directory, 'no', 'where')], /cannot be written/]
  ]
  for (const [args, message] of refusals) {
    const { code, stderr } = await world.read([...args, '--exit', writer.key]).ended
    assert.equal(code, 8, stderr)
    assert.match(stderr, message)
  }
  assert.equal(await readFile(foreign, 'utf8'), 'dear reader')
  await truncate(own, 3)
  const { code, stderr } = await world.read(['--output', own, '--exit', writer.key]).ended
  assert.equal(code, 8)
  assert.match(stderr, /it has 3 bytes, fewer than the 4 that were committed/)
})
