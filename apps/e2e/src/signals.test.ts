import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { read, write } from 'node:fs'
import test from 'node:test'
import { promisify } from 'node:util'
import { atEnd, deadline } from '@many-cores/testing'
import { END_MS, endsQuickly } from './harness/assertions.ts'
import { underLoad } from './harness/load.ts'
import { Output } from './harness/output.ts'
import { builtFile } from './harness/program.ts'
import { numberedLines } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'
import { readInput } from './harness/stored-log.ts'

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143]
] as const

/** On bare descriptors: the data is in the pipe when it resolves. */
const writePipe = promisify(write)

/** More than a pipe holds. */
const PIPE_BYTES = 1024 * 1024

/** The reader writes this many lines at once. */
const MOST_TWICE = 1000

for (const [signal, code] of SIGNALS) {
  test(`${signal} ends a connected writer, and then a reader without peers, with ${code}`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const writer = await sandbox.writer()
    const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw'] })
    await writer.write('connected\n')
    await reader.stdout.firstLines(1)
    await endsQuickly(writer, signal, code)
    await reader.stderr.says('no peers')
    await endsQuickly(reader, signal, code)
    assert.equal(reader.stdout.text, 'connected\n')
  })

  test(`${signal} ends a connected reader, and then a writer without peers, with ${code}; lines in its pipe are durable`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const { readEnd, writeEnd } = await sandbox.pipe()
    const writer = await sandbox.writer({ stdin: readEnd })
    const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw'] })
    await writePipe(writeEnd, 'connected\n')
    await reader.stdout.firstLines(1)
    await endsQuickly(reader, signal, code)
    await writer.stderr.says('no peers')
    // fits into the pipe, and stays there until the signal arrives; the pipe's write end stays open
    const lines = numberedLines(0, 300)
    writer.signal('SIGSTOP')
    await writePipe(writeEnd, lines)
    writer.signal(signal)
    await endsQuickly(writer, 'SIGCONT', code)
    assert.equal(String(await readInput(sandbox.path('writer'))), `connected\n${lines}`)
  })
}

test('SIGHUP is ignored without a terminal: a writer continues when logs are rotated', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw'] })
  await writer.write('before\n')
  await reader.stdout.firstLines(1)
  for (const program of [writer, reader]) program.signal('SIGHUP')
  await writer.write('after\n')
  assert.deepEqual(await reader.stdout.firstLines(2), ['before', 'after'])
})

test('SIGHUP ends a program whose terminal closes', {
  skip: process.platform !== 'linux' && 'it needs the script of util-linux'
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  const command = `echo $$; exec '${process.execPath}' '${builtFile('writer')}' --local --storage '${sandbox.path('writer')}'`
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { env: sandbox.env })
  atEnd(t, () => terminal.kill('SIGKILL'))
  const closed = once(terminal, 'close')
  const screen = new Output('the terminal', terminal.stdout)
  await screen.says('main core key')
  process.kill(Number(screen.lines[0]), 'SIGHUP')
  assert.deepEqual(await deadline('its end', closed), [129, null])
})

test('Ctrl-C ends a writer whose input has ended, and a reader that has found no peer', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  writer.end('served\n')
  await writer.stderr.says('end of input')
  const reader = await sandbox.reader('ab'.repeat(32))
  await reader.stderr.says('finding peers')
  await endsQuickly(writer, 'SIGINT', 130)
  await endsQuickly(reader, 'SIGINT', 130)
})

test('input that a parent process wrote before SIGTERM is durable, with an incomplete last line, too', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  await keyOf(writer)
  const lines = `${numberedLines(0, 3000)}without an end`
  writer.signal('SIGSTOP')
  const written = writer.write(lines)
  writer.signal('SIGTERM')
  await endsQuickly(writer, 'SIGCONT', 143)
  await written
  assert.ok(String(await readInput(sandbox.path('writer'))) === lines, 'every line once, in order')
})

test('SIGTERM ends a writer whose input never pauses', async (t) => {
  const sandbox = await Sandbox.open(t)
  const { readEnd, writeEnd } = await sandbox.pipe()
  const yes = spawn('yes', { stdio: ['ignore', writeEnd, 'inherit'] })
  atEnd(t, () => yes.kill('SIGKILL'))
  await sandbox.closeDescriptor(writeEnd)
  const writer = await sandbox.writer({ stdin: readEnd })
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw'] })
  await reader.stdout.firstLines(1000)
  await endsQuickly(writer, 'SIGTERM', 143)
})

test('a signal during the start ends either program, and the store stays usable', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  await writer.stderr.says('opening the store')
  await endsQuickly(writer, 'SIGINT', 130)
  const reader = await sandbox.reader('ab'.repeat(32))
  await reader.stderr.says('opening the store')
  await endsQuickly(reader, 'SIGTERM', 143)
  await sandbox.publish('still usable\n')
})

test('a reader whose output is not read ends within 2 s of SIGTERM, and then repeats at most one write', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const all = numberedLines(0, 50_000)
  await writer.write(all)
  const key = await keyOf(writer)
  const { readEnd, writeEnd } = await sandbox.pipe()
  const reader = await sandbox.reader(key, { args: ['--raw'], stdout: writeEnd })
  // it has begun, and the pipe is soon full
  await promisify(read)(readEnd, Buffer.alloc(1), 0, 1, null)
  reader.signal('SIGTERM')
  const took = await reader.ends(143)
  assert.ok(took < underLoad(END_MS + 500), `${took} ms`)
  const taken = 1 + (await promisify(read)(readEnd, Buffer.alloc(PIPE_BYTES), 0, PIPE_BYTES, null)).bytesRead
  await sandbox.closeDescriptor(readEnd)
  const again = await sandbox.reader(key, { args: ['--raw', '--exit'] })
  await again.ends(0)
  const start = all.length - again.stdout.length
  assert.ok(all.endsWith(again.stdout.text))
  assert.ok(start <= taken, `the bytes from ${taken} to ${start} are missing`)
  const twice = all.slice(start, taken).split('\n').length
  assert.ok(twice <= MOST_TWICE, `${twice} lines come again`)
})
