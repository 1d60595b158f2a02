import assert from 'node:assert/strict'
import test from 'node:test'
import { numberedLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

const LINES = 5000

test('writer --exit --acks 2 exits once two readers hold everything, which they still have after being killed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const input = numberedLines(0, LINES)
  const writer = await sandbox.writer({ args: ['--exit', '--acks', '2'] })
  const key = await keyOf(writer)
  writer.end(input)
  await writer.stderr.says('acknowledged by 0 of 2 peers')
  const first = await sandbox.reader(key, { storage: 'first', args: ['--raw'] })
  await writer.stderr.says('acknowledged by 1 of 2 peers')
  assert.ok(writer.isRunning)
  const second = await sandbox.reader(key, { storage: 'second', args: ['--raw'] })
  await writer.ends(0)
  await Promise.all([first.kill(), second.kill()])
  for (const storage of ['first', 'second']) {
    const alone = await sandbox.reader(key, {
      storage,
      args: ['--raw', '--from', 'start', '--count', String(LINES), '--timeout', '5']
    })
    await alone.ends(0)
    assert.ok(alone.stdout.text === input, `${storage} has ${alone.stdout.lineCount} lines of ${LINES}`)
  }
})

for (const option of ['--exit', '--count', '--output'] as const)
  test(`a reader with ${option} acknowledges all lines before it exits`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const input = numberedLines(0, LINES)
    const writer = await sandbox.writer({ args: ['--exit', '--acks', '1'] })
    const key = await keyOf(writer)
    writer.end(input)
    await writer.stderr.says('acknowledged by 0 of 1 peer')
    const args = {
      '--exit': ['--exit'],
      '--count': ['--count', String(LINES)],
      '--output': ['--exit', '--output', sandbox.path('lines.txt')]
    }[option]
    const reader = await sandbox.reader(key, { args: ['--raw', ...args] })
    await Promise.all([reader.ends(0), writer.ends(0)])
  })

test('a writer that waits for acknowledgements exits with 143 at SIGTERM', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--exit', '--acks', '1'] })
  writer.end('kept\n')
  await writer.stderr.says('acknowledged by 0 of 1 peer')
  writer.signal('SIGTERM')
  await writer.ends(143)
})

test('--acks without --exit is a usage error: 2', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--acks', '1'] })
  await writer.ends(2)
  assert.match(writer.stderr.text, /^writer: --acks .*--exit.*\n$/)
})

test('--acks with --timeout exits with 3 if too few peers acknowledge in time, and the lines are safe', async (t) => {
  const sandbox = await Sandbox.open(t)
  const args = ['--exit', '--acks', '1', '--timeout', '0.5']
  const writer = await sandbox.writer({ args })
  const key = await keyOf(writer)
  writer.end('kept\n')
  await writer.ends(3)
  assert.match(writer.stderr.text, /fewer than 1 peer acknowledged the log in 0\.5 s/)
  const again = await sandbox.writer({ args: ['--exit', '--acks', '1', '--timeout', '60'] })
  again.end()
  const reader = await sandbox.reader(key, { args: ['--raw'] })
  await again.ends(0)
  assert.deepEqual(await reader.stdout.firstLines(1), ['kept'])
})

test('--timeout without --acks is a usage error: 2', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--exit', '--timeout', '1'] })
  await writer.ends(2)
})
