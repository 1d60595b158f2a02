import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Program } from './harness/program.ts'
import { linesOf, numberedLines, UNKNOWN_KEY } from './harness/samples.ts'
import { ended, Sandbox } from './harness/sandbox.ts'

test('cursors are listed with their lag, without peers, and can be moved and removed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  const path = sandbox.path('copy')
  for (const args of [
    ['--raw', '--count', '30'],
    ['--raw', '--group', 'all', '--exit'],
    ['--output', path, '--count', '1']
  ])
    await ended(sandbox.reader(writer.key, { args }))
  const cursors = (args: readonly string[], env: Record<string, string> = {}): Promise<Program> =>
    sandbox.reader(writer.key, { command: 'cursors', args, env })
  const listed = await ended(cursors([], { MANY_CORES_RENDEZVOUS: sandbox.path('apart') }))
  const rows = listed.stdout.lines.map((line) => line.split(/ +/))
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
  await ended(cursors(moved))
  const after = await ended(cursors(['--json']))
  assert.deepEqual(
    after.stdout.lines.map((line) => JSON.parse(line) as unknown),
    [
      { name: 'all', position: 0, lag: 100, file: null },
      { name: 'default', position: 95, lag: 5, file: null },
      { name: 'new', position: 42, lag: 58, file: null },
      { name: 'none', position: 100, lag: 0, file: null }
    ]
  )
  const stored = await ended(sandbox.reader(writer.key, { args: ['--raw', '--exit'] }))
  assert.equal(stored.stdout.text, linesOf(95, 100).join(''))
  for (const args of [
    ['--remove', 'nobody'],
    ['--set', 'default=101'],
    ['--set', 'default'],
    ['--set', 'default=soon']
  ])
    await ended(cursors(args), 2)
  const { stdout } = await ended(cursors(['--json']))
  assert.equal((JSON.parse(stdout.lines[1] ?? '') as { position: number }).position, 100)
})

test('a damaged cursor: 8 with its name; it is listed with the others, and can be removed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish(numberedLines(0, 10))
  const writer = await sandbox.writer()
  const read = ['--raw', '--count', '4']
  for (const args of [read, [...read, '--group', 'other']])
    await (await sandbox.reader(key, { args })).ends(0)
  await writeFile(sandbox.path(`reader/cursors/${key}/default.json`), '{"position":-1')

  const refused = await sandbox.reader(key, { args: read })
  await refused.ends(8)
  assert.match(refused.stderr.text, /cursor default/)
  assert.equal(refused.stdout.text, '')
  const listed = await sandbox.reader(key, { command: 'cursors' })
  await listed.ends(0)
  assert.deepEqual(
    listed.stdout.lines.slice(1).map((line) => line.split(/ +/)),
    [
      ['default', 'damaged', '-'],
      ['other', '4', '6']
    ]
  )
  await (await sandbox.reader(key, { command: 'cursors', args: ['--remove', 'default'] })).ends(0)
  const again = await sandbox.reader(key, { args: read })
  await again.ends(0)
  assert.equal(again.stdout.text, numberedLines(0, 4))
  writer.end()
})

test('verify prints how many lines, bytes, batches and blocks it has checked', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.openWriter()
  await writer.publish(linesOf(0, 100))
  const bytes = Buffer.byteLength(linesOf(0, 100).join(''))
  await mkdir(sandbox.path('reader'))
  const { stdout } = await ended(sandbox.reader(writer.key, { command: 'verify' }))
  assert.equal(stdout.text, `verified 100 lines, ${bytes} bytes: 1 batch in 2 blocks of 2 cores\n`)
  const json = await ended(sandbox.reader(writer.key, { command: 'verify', args: ['--json'] }))
  const expected = { lines: 100, bytes, batches: 1, blocks: 2, cores: 2, reached: true }
  assert.deepEqual(JSON.parse(json.stdout.text), expected)
})

test('each command has its own help', async (t) => {
  const sandbox = await Sandbox.open(t)
  const helps = [[], ['cursors'], ['verify']].map(async (words) => {
    const [command] = words
    const { stdout } = await ended(
      sandbox.run('reader', { ...(command !== undefined && { command }), args: ['--help'] })
    )
    assert.match(stdout.text, new RegExp(`^Usage: ${['reader', ...words].join(' ')} \\[options\\] KEY`))
  })
  await Promise.all(helps)
})

test('a cursor with an invalid name is refused before a store is created', async (t) => {
  const sandbox = await Sandbox.open(t)
  const args = ['--set', 'two words=0']
  await ended(sandbox.reader('ab'.repeat(32), { command: 'cursors', args, storage: 'none' }), 2)
  assert.ok(!existsSync(sandbox.path('none')))
})

test('verify and cursors --set of a log that is not found: 3, and what to do', async (t) => {
  const sandbox = await Sandbox.open(t)
  await mkdir(sandbox.path('reader'))
  for (const words of [['verify'], ['cursors', '--set', 'default=5']]) {
    const args = [...words, '--timeout', '1', UNKNOWN_KEY]
    const { stderr } = await ended(sandbox.run('reader', { args }), 3)
    assert.match(stderr.text, /^reader: Could not connect .*reader doctor KEY/m)
  }
})

test('verify and cursors create no store: 3 for a --storage that does not exist', async (t) => {
  const sandbox = await Sandbox.open(t)
  for (const words of [
    ['verify'],
    ['cursors'],
    ['cursors', '--set', 'default=0'],
    ['cursors', '--set', 'default=5']
  ]) {
    const args = [...words, '--timeout', '1', UNKNOWN_KEY]
    const { stdout, stderr } = await ended(sandbox.run('reader', { args, storage: 'typo' }), 3)
    assert.equal(stdout.text, '')
    assert.match(stderr.text, new RegExp(`^reader: .*${sandbox.path('typo')}.*--storage$`, 'm'))
    assert.equal(existsSync(sandbox.path('typo')), false, args.join(' '))
  }
})

test('a mistyped command is named, and the right one is suggested', async (t) => {
  const sandbox = await Sandbox.open(t)
  const reader = await sandbox.run('reader', { command: 'verfiy', args: ['ab'.repeat(32)] })
  await reader.ends(2)
  assert.match(reader.stderr.text, /^reader: unknown command 'verfiy': did you mean verify\?$/m)
})
