import assert from 'node:assert/strict'
import { once } from 'node:events'
import { read } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import test from 'node:test'
import { promisify } from 'node:util'
import { atEnd } from '@many-cores/testing'
import { endsQuickly } from './harness/assertions.ts'
import { builtFile, Program, type Stream } from './harness/program.ts'
import { numberedLines, UNKNOWN_KEY } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** Nothing listens there. */
const SILENT_DHT = '127.0.0.77:9'

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143]
] as const) {
  test(`while no DHT answers, ${signal} ends writer and readers within 2 s, with ${code}; nothing is lost`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const writer = await sandbox.writer({ bootstrap: SILENT_DHT })
    await writer.write('kept\n')
    const key = await keyOf(writer)
    const reader = await sandbox.reader(key, { bootstrap: SILENT_DHT, args: ['--raw'] })
    await reader.stdout.firstLines(1)
    const alone = await sandbox.reader(UNKNOWN_KEY, { bootstrap: SILENT_DHT, storage: 'alone' })
    await alone.stderr.says('finding peers')
    for (const program of [writer, reader, alone]) await endsQuickly(program, signal, code)
    const again = await sandbox.writer()
    const late = await sandbox.reader(key, { storage: 'late', args: ['--raw', '--exit'] })
    await late.ends(0)
    assert.equal(late.stdout.text, 'kept\n')
    await again.kill()
  })
}

test('a reader that waits for a full pipe exits at a second signal, with the exit code of the first', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  await writer.write(numberedLines(0, 50_000))
  const { readEnd, writeEnd } = await sandbox.pipe()
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw'], stdout: writeEnd })
  // it has begun, and the pipe is soon full: its last write does not finish until the pipe is read
  await promisify(read)(readEnd, Buffer.alloc(1), 0, 1, null)
  const ended = reader.ends(143)
  // a signal right after the first one counts as the same Ctrl-C, delivered twice
  const again = setInterval(() => reader.signal('SIGTERM'), 50)
  try {
    reader.signal('SIGTERM')
    await ended
  } finally {
    clearInterval(again)
  }
  assert.doesNotMatch(reader.stderr.text, /not closed/)
})

test('reader --exit exits with 0, without a message, when its output is a socket that the peer resets', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  await writer.write(numberedLines(0, 50_000))
  const server = createServer().listen(0, '127.0.0.1')
  atEnd(t, () => server.close())
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const near = connect(address.port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  const { fd } = (near as unknown as { readonly _handle: { readonly fd: number } })._handle
  const args = ['--local', '--storage', sandbox.path('reader'), '--raw', '--exit', '--quiet']
  const reader = new Program({
    name: 'reader',
    main: builtFile('reader'),
    args: [...args, await keyOf(writer)],
    env: { MANY_CORES_RENDEZVOUS: sandbox.path('run/many-cores') },
    stdout: fd
  })
  atEnd(t, () => reader.kill())
  near.destroy()
  await once(far, 'data')
  far.resetAndDestroy()
  await reader.ends(0)
  assert.equal(reader.stderr.text, '')
})

test('a standard output that cannot be written: 1 and the cause', async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish('a\n')
  const writer = await sandbox.writer()
  await keyOf(writer)
  const reader = await sandbox.reader(key, { args: ['--raw', '--exit'], stdout: '/dev/full' })
  await reader.ends(1)
  assert.match(reader.stderr.text, /^reader: cannot write standard output: .*(ENOSPC|no space)/m)
  assert.doesNotMatch(reader.stderr.text, /^ +at /m)
})

const CLOSED: readonly (readonly Stream[])[] = [['<&-'], ['>&-'], ['2>&-'], ['<&-', '>&-', '2>&-']]

for (const closed of CLOSED) {
  test(`with ${closed.join(' ')}, both programs work and exit with 0`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const input = closed.includes('<&-') ? '' : 'one\ntwo\n'
    const key = await sandbox.publish('')
    const writer = await sandbox.writer({ closed, args: ['--exit'] })
    writer.end(input)
    await writer.ends(0)
    const serving = await sandbox.writer({ closed: ['2>&-'] })
    await keyOf(serving)
    const reader = await sandbox.reader(key, { closed, args: ['--raw', '--exit'] })
    await reader.ends(0)
    assert.equal(reader.stdout.text, closed.includes('>&-') ? '' : input)
    await endsQuickly(serving, 'SIGTERM', 143)
  })
}

test('programs keep working when their standard error is closed', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--verbose'] })
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { args: ['--raw', '--verbose'] })
  await reader.stderr.says('finding peers')
  for (const program of [writer, reader]) program.stderr.abandon()
  await writer.write('one\n')
  await reader.stdout.firstLines(1)
  // both programs have something to report, which they cannot print
  const other = await sandbox.reader(key, { storage: 'other', args: ['--raw'] })
  await other.stdout.firstLines(1)
  await other.kill()
  await writer.write('two\n')
  assert.deepEqual(await reader.stdout.firstLines(2), ['one', 'two'])
  await endsQuickly(reader, 'SIGTERM', 143)
  await endsQuickly(writer, 'SIGTERM', 143)
})

test('a writer without standard input serves until a signal', async (t) => {
  const sandbox = await Sandbox.open(t)
  const serving = await sandbox.writer({ closed: ['<&-'] })
  await serving.stderr.says('end of input; serving until Ctrl-C')
  await endsQuickly(serving, 'SIGTERM', 143)
})
