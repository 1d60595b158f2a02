import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as elapse } from 'node:timers/promises'
import type { Writer } from '@many-cores/node'
import { deadline } from '@many-cores/testing'
import { createWorld, linesOf, type Run } from './testing/support.ts'

/** Lines 0 to 1000 in ten batches, no two in the same ms; when each was durable. */
async function publishTimed(writer: Writer): Promise<number[]> {
  const times: number[] = []
  for (let from = 0; from < 1000; from += 100) {
    while (Date.now() <= (times.at(-1) ?? 0)) await new Promise(setImmediate)
    await writer.publish(linesOf(from, from + 100))
    times.push(Date.now())
  }
  return times
}

test('the reader begins and ends where it is told', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  const [first = 0, , third = 0] = await publishTimed(writer)
  const iso = new Date(first + 1).toISOString()
  const runs: [readonly string[], number, number][] = [
    [['--from', 'start', '--exit'], 0, 1000],
    [['--from', '150', '--until', '1000'], 150, 1000],
    [['--from', '-10', '--until', '-2'], 990, 998],
    [['--from', '990', '--until', 'end'], 990, 1000],
    [['--from', '0', '--until', `@${third + 1}`], 0, 300],
    [['--from', `@${iso}`, '--until', '205'], 100, 205],
    [['--since', String(third + 1), '--exit'], 300, 1000],
    [['--since', '1h', '--count', '5'], 0, 5],
    [['--tail', '10', '--count', '3'], 990, 993],
    [['--tail', '10', '--exit'], 990, 1000],
    [['--tail', '0', '--exit'], 0, 0],
    [['--from', '-0', '--exit'], 0, 0],
    [['--from', '990', '--until', '-0'], 990, 1000],
    [['--from', 'start', '--count', '0'], 0, 0]
  ]
  const check = async ([args, from, to]: (typeof runs)[number], index: number): Promise<void> => {
    const run = world.read([...args, '--raw', writer.key], { store: `r${index}` })
    const { code, stdout, stderr } = await run.ended
    assert.equal(stdout.toString(), linesOf(from, to).join(''), `${args.join(' ')}: ${stderr}`)
    assert.equal(code, 0, stderr)
  }
  for (const [index, run] of runs.entries()) await check(run, index)
})

test('without --from the reader goes on where it stopped, and --tail goes on live', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(linesOf(0, 100))
  const first = await world.read(['--raw', '--count', '40', writer.key]).ended
  assert.equal(first.stdout.toString(), linesOf(0, 40).join(''))
  const other = await world.read(['--raw', '--exit', '--group', 'other', writer.key]).ended
  assert.equal(other.stdout.toString(), linesOf(0, 100).join(''))
  const second = await world.read(['--raw', '--exit', writer.key]).ended
  assert.equal(second.stdout.toString(), linesOf(40, 100).join(''))
  const live = world.read(['--raw', '--tail', '2', '--count', '5', writer.key])
  assert.ok(live.child.stdout)
  // it has found the end before anything new comes
  await deadline('the last lines', once(live.child.stdout, 'data'))
  for (let position = 100; position < 103; position++) await writer.publish(linesOf(position, position + 1))
  assert.equal((await live.ended).stdout.toString(), linesOf(98, 103).join(''))
})

test('what contradicts itself or cannot be read is refused in one sentence', async (t) => {
  const world = await createWorld(t)
  const key = 'ab'.repeat(32)
  const refusals: [readonly string[], RegExp][] = [
    [['--from', '3', '--tail', '3'], /--from and --tail exclude each other/],
    [['--tail', '3', '--since', '1h'], /--tail and --since exclude each other/],
    [['--raw', '--json'], /--raw and --json exclude each other/],
    [['--raw', '--format', '%s'], /--raw and --format exclude each other/],
    [['--since', 'yesterday'], /invalid time 'yesterday'/],
    [['--from', '@2026-13-01'], /invalid time/],
    [['--until', 'stored'], /--until: invalid position 'stored': expected end, a position/],
    [['--format', '%z'], /%z means nothing; these do: %s/],
    [['--format', '\\q'], /\\q means nothing/]
  ]
  const runs = refusals.map(async ([args, message]) => {
    const { code, stderr, stdout } = await world.read([...args, key]).ended
    assert.match(stderr, message)
    assert.equal(code, 2)
    assert.equal(stdout.byteLength, 0)
  })
  await Promise.all(runs)
})

test('--only and --except take names and patterns', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write({ routing: { rule: 'prefix', prefixes: ['error', 'warn'] } })
  await writer.publish(['error 1\n', 'hello\n', 'warn 1\n', 'error 2\n', 'hi\n'])
  assert.deepEqual(
    writer.manifest.cores.map((core) => core.name),
    ['error', 'warn', 'rest']
  )
  const print = async (...args: string[]): Promise<string> => {
    const { stdout, stderr, code } = await world.read([
      ...args,
      '--from=start',
      '--exit',
      '--format',
      '%o %s\\n',
      writer.key
    ]).ended
    assert.equal(code, 0, stderr)
    return stdout.toString()
  }
  assert.equal(await print('--only', 'w*'), '2 warn 1\n')
  assert.equal(await print('--only', 'error', '--only', 'war?'), '0 error 1\n2 warn 1\n3 error 2\n')
  assert.equal(await print('--except', '*r*t'), '0 error 1\n2 warn 1\n3 error 2\n')
  assert.equal(await print('--only', '*r*', '--except', 'rest', '--except', 'error'), '2 warn 1\n')
  for (const args of [
    ['--only', 'nobody*'],
    ['--except', '*']
  ]) {
    const { code, stderr } = await world.read([...args, writer.key]).ended
    assert.equal(code, 2)
    assert.match(stderr, /no such core; it has error, warn, rest|leave no core/)
  }
})

test('five readers that join at random moments print the same bytes', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  const total = 20_000
  await writer.publish(linesOf(0, 100))
  const joined: Promise<Run>[] = Array.from({ length: 5 }, async (_, index) => {
    await elapse(randomInt(0, 500))
    return world.read(['--raw', '--from', '50', '--until', String(total), writer.key], { store: `r${index}` })
  })
  while (writer.length < total) {
    const count = Math.min(total - writer.length, randomInt(1, 300))
    await writer.publish(linesOf(writer.length, writer.length + count))
  }
  const expected = Buffer.from(linesOf(50, total).join(''))
  for (const run of await Promise.all(joined)) {
    const { stdout, stderr, code } = await run.ended
    assert.equal(code, 0, stderr)
    assert.ok(stdout.equals(expected), `${stdout.byteLength} bytes, not the ${expected.byteLength} expected`)
  }
})
