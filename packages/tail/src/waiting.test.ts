import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { atEnd, deadline, temporary } from '@many-cores/testing'
import { follow, TailError, type TailErrorCode } from './index.ts'
import { Client } from './testing/client.ts'
import { Log } from './testing/log.ts'

async function expectCode(path: string, code: TailErrorCode): Promise<void> {
  await assert.rejects(
    follow(path, { once: true }).next(),
    (error) => error instanceof TailError && error.code === code
  )
}

test('a log that does not exist is waited for', async (t) => {
  const log = new Log(await temporary(t))
  const client = await Client.start(t, log.path)
  assert.deepEqual(await client.status('waiting'), { state: 'waiting', path: log.path, reason: '' })
  log.append('1\n')
  await client.has('1\n')
  await expectCode(log.at('none'), 'MISSING')
})

test('a directory that does not exist is waited for', async (t) => {
  const log = new Log(await temporary(t), 'a/b/app.log')
  const client = await Client.start(t, log.path)
  await client.status('waiting')
  mkdirSync(log.at('a/b'), { recursive: true })
  log.append('1\n')
  await client.has('1\n')
})

test('a log that did not exist at the first look, and was rotated twice, is read whole after a restart', async (t) => {
  const log = new Log(await temporary(t))
  const client = await Client.start(t, log.path)
  await client.stop()
  log.append('1\n')
  await log.tick()
  log.rotate('app.log.1')
  log.append('2\n')
  await log.tick()
  log.rename('app.log.1', 'app.log.2')
  log.rotate('app.log.1')
  log.append('3\n')
  await client.start()
  await client.has(log.written)
})

test('a directory at the path is waited for, and ends at once when aborted', async (t) => {
  const log = new Log(await temporary(t))
  mkdirSync(log.path)
  const client = await Client.start(t, log.path)
  assert.equal((await client.status('waiting')).reason, 'not a regular file')
  await expectCode(log.path, 'NOT_A_FILE')
  await client.stop()
  await client.start()
  rmdirSync(log.path)
  log.append('1\n')
  await client.has('1\n')
})

test('a named pipe at the path is waited for, never opened, and ends at once when aborted', async (t) => {
  const log = new Log(await temporary(t))
  execFileSync('mkfifo', [log.path])
  const client = await Client.start(t, log.path)
  assert.equal((await client.status('waiting')).reason, 'not a regular file')
  await expectCode(log.path, 'NOT_A_FILE')
  await client.stop()
  await client.start()
  rmSync(log.path)
  log.append('1\n')
  await client.has('1\n')
})

test('a directory in place of a log that is followed is waited for', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  log.rename('app.log', 'app.log.1')
  mkdirSync(log.path)
  log.append('2\n', 'app.log.1')
  await client.has('1\n2\n')
  assert.equal((await client.status('waiting')).reason, 'not a regular file')
  rmdirSync(log.path)
  log.append('3\n')
  await client.has('1\n2\n3\n')
})

test('a looping symbolic link is waited for at the path, and ignored beside it', async (t) => {
  const log = new Log(await temporary(t))
  symlinkSync('app.log', log.path)
  symlinkSync('app.log.1', log.at('app.log.1'))
  symlinkSync('nowhere', log.at('app.log.2'))
  const client = await Client.start(t, log.path)
  assert.match((await client.status('waiting')).reason, /symbolic link/)
  await expectCode(log.path, 'UNREADABLE')
  rmSync(log.path)
  log.append('1\n')
  await client.has('1\n')
  await client.stop()
  log.rotate('app.log.3')
  log.append('2\n')
  await client.start()
  await client.has('1\n2\n')
})

test('an abort ends the iteration, whether it waits, or is aborted before it begins', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  for (const isEarly of [true, false]) {
    const abort = new AbortController()
    if (isEarly) abort.abort()
    const pieces = follow(log.path, { signal: abort.signal })
    if (!isEarly) {
      await pieces.next()
      await pieces.next()
    }
    const rest = pieces.next()
    // while it waits
    if (!isEarly) setImmediate(() => abort.abort())
    assert.equal((await deadline('the end', rest)).done, true)
  }
})

test('ending the iteration early closes every file and watch', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const count = (): number => process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').length
  const before = count()
  for (let run = 0; run < 20; run++) for await (const _ of follow(log.path)) break
  assert.equal(count(), before)
})

/** Follows as a user who is not allowed to read everything; null if that is not possible here. */
async function asUser(t: TestContext, log: Log): Promise<{ readonly next: () => Promise<unknown> } | null> {
  if (process.getuid?.() !== 0) {
    t.skip('needs root: the files belong to another user')
    return null
  }
  chmodSync(log.directory, 0o755)
  const code = `import { follow } from '${new URL('index.js', import.meta.url).href}'
    const say = (value) => console.log(JSON.stringify(value))
    process.setgid(65534)
    process.setuid(65534)
    for await (const { bytes } of follow(process.argv[1], { grace: 20, onStatus: say }))
      if (bytes.length > 0) say(Buffer.from(bytes).toString())`
  const args = ['--input-type=module', '-e', code, log.path]
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit']
  })
  atEnd(t, async () => {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    next: async () => {
      const line: IteratorResult<string, unknown> = await deadline('a line of the child', lines.next())
      assert.ok(line.done !== true, 'the child has ended')
      return JSON.parse(line.value) as unknown
    }
  }
}

test('a log that may not be read at first is waited for', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  chmodSync(log.path, 0o600)
  const child = await asUser(t, log)
  if (child === null) return
  const { path } = log
  assert.deepEqual(await child.next(), { state: 'waiting', path, reason: 'permission denied' })
  chmodSync(path, 0o644)
  assert.deepEqual(await child.next(), { state: 'reading', path, offset: 0 })
  assert.deepEqual(await child.next(), '1\n')
  // the next one, for a moment
  log.rename('app.log', 'app.log.1')
  writeFileSync(path, '', { mode: 0o600 })
  log.append('2\n')
  log.append('late\n', 'app.log.1')
  const next = [await child.next(), await child.next()]
  assert.ok(next.includes('late\n'))
  assert.deepEqual(
    next.find((value) => value !== 'late\n'),
    { state: 'waiting', path, reason: 'permission denied' }
  )
  chmodSync(path, 0o644)
  assert.deepEqual(await child.next(), { state: 'reading', path, offset: 0 })
  assert.deepEqual(await child.next(), '2\n')
})

test('a copy that may not be read is waited for, because only it has the lines', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const child = await asUser(t, log)
  if (child === null) return
  await child.next()
  assert.equal(await child.next(), '1\n')
  const copy = log.at('app.log.1')
  writeFileSync(copy, '1\nonly there\n', { mode: 0o600 })
  writeFileSync(log.path, '2\n')
  assert.deepEqual(await child.next(), { state: 'waiting', path: copy, reason: 'permission denied' })
  chmodSync(copy, 0o644)
  assert.deepEqual(await child.next(), { state: 'reading', path: copy, offset: 2 })
  assert.deepEqual(await child.next(), { state: 'reading', path: log.path, offset: 0 })
  assert.equal(await child.next(), 'only there\n')
  assert.equal(await child.next(), '2\n')
})

test('an older file that may not be read does not matter', async (t) => {
  const log = new Log(await temporary(t))
  log.append('old\n', 'app.log.1')
  chmodSync(log.at('app.log.1'), 0o600)
  log.append('1\n')
  const child = await asUser(t, log)
  if (child === null) return
  await child.next()
  assert.equal(await child.next(), '1\n')
  writeFileSync(log.path, '')
  assert.deepEqual(await child.next(), { state: 'lost', path: log.path, offset: 2, bytes: 0, reason: 'cut' })
})

for (const way of ['live', 'after a restart'])
  test(`NUL bytes that a program leaves after copytruncate are skipped: ${way}`, async (t) => {
    const log = new Log(await temporary(t))
    const descriptor = openSync(log.path, 'w')
    const big = `${'x'.repeat(1023)}\n`.repeat(20 * 1024)
    writeFileSync(descriptor, big)
    const client = await Client.start(t, log.path)
    await client.has(big)
    if (way === 'after a restart') await client.stop()
    copyFileSync(log.path, log.at('app.log.1'))
    ftruncateSync(descriptor)
    writeFileSync(descriptor, 'after\n')
    if (way === 'after a restart') await client.start()
    await client.has(`${big}after\n`)
    assert.deepEqual(await client.status('skipped'), {
      state: 'skipped',
      path: log.path,
      bytes: big.length
    })
    writeFileSync(descriptor, 'more\n')
    await client.has(`${big}after\nmore\n`)
    await client.finish()
    assert.equal(client.text.length, big.length + 11)
    assert.deepEqual(client.lost, [])
  })

test('a hole at the start of a log that is followed for the first time is skipped', async (t) => {
  const log = new Log(await temporary(t))
  log.append('')
  truncateSync(log.path, 3_000_000)
  log.append('1\n')
  log.written = '1\n'
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  assert.equal((await client.status('skipped')).bytes, 3_000_000)
})

test('NUL bytes that a program has written are content', async (t) => {
  const log = new Log(await temporary(t))
  log.append(`${'\0'.repeat(100_000)}1\n`)
  const client = await Client.start(t, log.path)
  await client.has(log.written)
})

test('a packed file that is incomplete is waited for', async (t) => {
  const log = new Log(await temporary(t))
  log.append('1\n')
  const client = await Client.start(t, log.path)
  await client.has('1\n')
  await client.stop()
  log.append('2\n')
  log.rotate('app.log.1')
  log.append('3\n')
  const packed = gzipSync('1\n2\n')
  log.remove('app.log.1')
  writeFileSync(log.at('app.log.1.gz'), packed.subarray(0, -9))
  client.begin()
  assert.deepEqual(await client.status('waiting'), {
    state: 'waiting',
    path: log.at('app.log.1.gz'),
    reason: 'incomplete or damaged'
  })
  writeFileSync(log.at('app.log.1.gz'), packed)
  await client.has('1\n2\n3\n')
})
