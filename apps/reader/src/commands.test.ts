import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createWorld, linesOf } from './testing/support.ts'

test('cursors are listed with their lag without anybody else, moved and removed', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(linesOf(0, 100))
  const path = join(world.directory, 'copy')
  await world.read(['--raw', '--count', '30', writer.key]).ended
  await world.read(['--raw', '--group', 'all', '--exit', writer.key]).ended
  await world.read(['--output', path, '--count', '1', writer.key]).ended
  const listed = await world.read(['cursors', writer.key], { env: { XDG_RUNTIME_DIR: '' } }).ended
  assert.equal(listed.code, 0, listed.stderr)
  const rows = listed.stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ +/))
  assert.deepEqual(rows[0], ['NAME', 'POSITION', 'LAG', 'FILE'])
  assert.deepEqual(rows[1], ['all', '100', '0'])
  assert.deepEqual(rows[2], ['default', '30', '70'])
  assert.deepEqual(rows[3]?.slice(1), ['1', '99', path])
  const output = rows[3]?.[0] ?? ''

  const moved = [
    '--set',
    'all=start',
    '--set',
    'default=-5',
    '--set',
    'new=42',
    '--set',
    'none=-0',
    '--remove',
    output
  ]
  assert.equal((await world.read(['cursors', ...moved, writer.key]).ended).code, 0)
  const after = await world.read(['cursors', '--json', writer.key]).ended
  assert.deepEqual(
    after.stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { name: 'all', position: 0, lag: 100, file: null },
      { name: 'default', position: 95, lag: 5, file: null },
      { name: 'new', position: 42, lag: 58, file: null },
      { name: 'none', position: 100, lag: 0, file: null }
    ]
  )
  const stored = await world.read(['--raw', '--exit', writer.key]).ended
  assert.equal(stored.stdout.toString(), linesOf(95, 100).join(''))
  for (const args of [
    ['--remove', 'nobody'],
    ['--set', 'default'],
    ['--set', 'default=soon']
  ]) {
    assert.equal((await world.read(['cursors', ...args, writer.key]).ended).code, 2, args.join(' '))
  }
})

test('verify prints what it has read', async (t) => {
  const world = await createWorld(t)
  const writer = await world.write()
  await writer.publish(linesOf(0, 100))
  const bytes = Buffer.byteLength(linesOf(0, 100).join(''))
  const { code, stdout, stderr } = await world.read(['verify', writer.key]).ended
  assert.equal(code, 0, stderr)
  assert.equal(stdout.toString(), `verified 100 lines, ${bytes} bytes: 1 batches in 2 blocks of 2 cores\n`)
})

test('each command has its own help', async (t) => {
  const world = await createWorld(t)
  const helps = [[], ['cursors'], ['verify']].map(async (command) => {
    const { code, stdout } = await world.read([...command, '--help']).ended
    assert.equal(code, 0)
    assert.match(
      stdout.toString(),
      new RegExp(`^Usage: ${['reader', ...command].join(' ')} \\[options\\] KEY`)
    )
  })
  await Promise.all(helps)
})
