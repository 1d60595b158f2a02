import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'node:test'
import { assertOneSentence, assertUsageError } from './harness/assertions.ts'
import { underLoad } from './harness/load.ts'
import { openLoopback } from './harness/loopback.ts'
import { Output } from './harness/output.ts'
import { refusePublicNetwork } from './harness/program.ts'
import { numberedLines, UNKNOWN_KEY } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

test('no test can start a program that uses a public network', () => {
  refusePublicNetwork(['--local'])
  refusePublicNetwork(['--no-lan', '--bootstrap', '127.0.0.1:1', '--bootstrap', '127.0.0.2:2'])
  for (const args of [
    [],
    ['--no-lan'],
    ['--bootstrap', '127.0.0.1:1'],
    ['--no-lan', '--bootstrap', '192.0.2.1:1'],
    ['--no-lan', '--bootstrap', '127.0.0.1:1', '--bootstrap', 'example.org:1']
  ])
    assert.throws(() => refusePublicNetwork(args), /a test must not/)
})

for (const [fault, key] of Object.entries({
  'too short': 'abc',
  'one digit too long': `${UNKNOWN_KEY}0`,
  'invalid because of a character that is not a hex digit': `${UNKNOWN_KEY.slice(1)}g`,
  empty: ''
})) {
  test(`a key that is ${fault} is a usage error: one sentence, and 2`, async (t) => {
    const sandbox = await Sandbox.open(t)
    const reader = await sandbox.reader(key)
    await assertUsageError(reader)
  })
}

test('an unknown option is a usage error, which suggests a similar option: 2', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--rout', 'hash:4'] })
  const reader = await sandbox.reader(UNKNOWN_KEY, { args: ['--exi'] })
  for (const program of [writer, reader]) {
    await assertUsageError(program)
  }
  assert.match(writer.stderr.text, /--route\?/)
  assert.match(reader.stderr.text, /--exit\?/)
})

test('an invalid rule, position, cursor name or combination of formats is a usage error: 2', async (t) => {
  const sandbox = await Sandbox.open(t)
  const programs = [
    await sandbox.writer({ args: ['--route', 'modulo:4'] }),
    await sandbox.reader(UNKNOWN_KEY, { args: ['--from', 'yesterday'] }),
    await sandbox.reader(UNKNOWN_KEY, { args: ['--group', 'two words', '--timeout', '1'] }),
    await sandbox.reader(UNKNOWN_KEY, { args: ['--raw', '--json'] })
  ]
  for (const program of programs) {
    await assertUsageError(program)
  }
})

test('a reader that finds no peer exits with 3 within the timeout + 1 s, with the tutorial’s message and a reason', async (t) => {
  const sandbox = await Sandbox.open(t)
  const reader = await sandbox.reader(UNKNOWN_KEY, { args: ['--timeout', '1'] })
  await reader.stderr.says('finding peers')
  const began = performance.now()
  await reader.ends(3)
  const took = performance.now() - began
  assert.ok(took < underLoad(2000), `${took} ms`)
  assert.match(
    reader.stderr.text,
    /^reader: Could not connect to the writer peer: \S.*\(after 1 s\); .*reader doctor KEY/m
  )
  assertOneSentence(reader)
})

test('with no peer on the DHT, or without a DHT, a reader exits with 3 within the timeout + 2 s', async (t) => {
  const dht = await openLoopback(t)
  const sandbox = await Sandbox.open(t)
  for (const [bootstrap, deadline] of [
    [dht.address, 2000],
    // nothing listens there; closing such a network can take another second
    ['127.0.0.77:9', 3000]
  ] as const) {
    const reader = await sandbox.reader(UNKNOWN_KEY, { bootstrap, args: ['--timeout', '1'] })
    await reader.stderr.says('finding peers')
    const began = performance.now()
    await reader.ends(3)
    const took = performance.now() - began
    assert.ok(took < underLoad(deadline), `${bootstrap}: ${took} ms`)
    assert.match(reader.stderr.text, /^reader: Could not connect to the writer peer: \S.*/m)
  }
})

test('a reader that finds only other waiting readers exits with 3, and says that a peer answered', async (t) => {
  const sandbox = await Sandbox.open(t)
  const waiting = await sandbox.reader(UNKNOWN_KEY, { storage: 'waiting' })
  await waiting.stderr.says('finding peers')
  const reader = await sandbox.reader(UNKNOWN_KEY, { args: ['--timeout', '1'] })
  await reader.ends(3)
  assert.match(reader.stderr.text, /Could not connect to the writer peer: one peer answered/)
})

test('a writer’s store that is in use: 7, what to do, and the process that uses it continues', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  const second = await sandbox.writer()
  await second.ends(7)
  assertOneSentence(second)
  assert.match(second.stderr.text, /--name NAME/)
  if (process.platform === 'linux')
    assert.match(second.stderr.text, new RegExp(`in use by process ${writer.pid}\\b`))
  const guest = await sandbox.reader(key, { storage: 'writer' })
  await guest.ends(7)
  assertOneSentence(guest)

  const reader = await sandbox.reader(key, { args: ['--raw'] })
  await writer.write('undisturbed\n')
  assert.deepEqual(await reader.stdout.firstLines(1), ['undisturbed'])
})

test('a store whose path is a file, or is below one: 8, and the file stays as it is', async (t) => {
  const sandbox = await Sandbox.open(t)
  await writeFile(sandbox.path('file'), 'precious')
  for (const storage of ['file', 'file/store']) {
    for (const program of [
      await sandbox.writer({ storage }),
      await sandbox.reader(UNKNOWN_KEY, { storage })
    ]) {
      await program.ends(8)
      assertOneSentence(program)
    }
  }
  assert.equal(await readFile(sandbox.path('file'), 'utf8'), 'precious')
})

test('a directory with files of another program: 8, and the files stay as they are', async (t) => {
  const sandbox = await Sandbox.open(t)
  const directory = sandbox.path('documents')
  await mkdir(join(directory, 'letters'), { recursive: true })
  await writeFile(join(directory, 'notes.txt'), 'precious')
  await writeFile(join(directory, 'letters', 'to-a-friend.txt'), 'dear')
  const before = await contents(directory)
  for (const program of [
    await sandbox.writer({ storage: 'documents' }),
    await sandbox.reader(UNKNOWN_KEY, { storage: 'documents' })
  ]) {
    await program.ends(8)
    assertOneSentence(program)
  }
  assert.deepEqual(await contents(directory), before)
})

/** Every file in `directory`, with its content, size and modification time. */
async function contents(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of await readdir(directory, { recursive: true })) {
    const path = join(directory, name)
    const { mtimeMs, size } = await stat(path)
    const isFile = (await stat(path)).isFile()
    found[name] = `${mtimeMs} ${size} ${isFile ? await readFile(path, 'utf8') : ''}`
  }
  return found
}

test('a routing rule that is not the log’s: 2 with both names; the log’s rule is accepted', async (t) => {
  const sandbox = await Sandbox.open(t)
  await sandbox.publish('a\n', { args: ['--route', 'hash:3'] })
  const other = await sandbox.writer({ args: ['--route', 'byte-length:5'] })
  await other.ends(2)
  assertOneSentence(other)
  assert.match(other.stderr.text, /hash:3.*byte-length:5/)

  await sandbox.publish('b\n', { args: ['--route', 'hash:3'] })
  const writer = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw', '--exit'] })
  await reader.ends(0)
  assert.equal(reader.stdout.text, 'a\nb\n')
})

test('reader KEY | head -1 prints one line and exits with 0, without a message', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  writer.end(numberedLines(0, 20_000))
  const { readEnd, writeEnd } = await sandbox.pipe()
  const head = spawn('head', ['-1'], { stdio: [readEnd, 'pipe', 'inherit'] })
  const output = new Output('head', head.stdout ?? Readable.from([]))
  await sandbox.closeDescriptor(readEnd)
  const reader = await sandbox.reader(key, { args: ['--raw', '--quiet'], stdout: writeEnd })
  await reader.ends(0)
  await output.until('its end', () => output.hasEnded)
  assert.equal(output.text, numberedLines(0, 1))
  assert.equal(reader.stderr.text, '')
})

test('a live reader whose output is closed exits with 0 at the next line, without a message', async (t) => {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const reader = await sandbox.reader(await keyOf(writer), { args: ['--raw', '--quiet'] })
  await writer.write('one\n')
  await reader.stdout.firstLines(1)
  reader.stdout.abandon()
  await writer.write('two\n')
  await reader.ends(0)
  assert.equal(reader.stderr.text, '')
})

test('--help and --version print to standard output and exit with 0', async (t) => {
  const sandbox = await Sandbox.open(t)
  for (const flag of ['--help', '--version']) {
    for (const program of [
      await sandbox.writer({ args: [flag] }),
      await sandbox.reader('', { args: [flag] })
    ]) {
      await program.ends(0)
      assert.match(program.stdout.text, flag === '--help' ? /^Usage: / : /^(writer|reader) \d+\.\d+\.\d+\n$/)
      assert.equal(program.stderr.text, '')
    }
  }
})
