import assert from 'node:assert/strict'
import { chmod, chown, mkdir, readFile, stat } from 'node:fs/promises'
import test, { type TestContext } from 'node:test'
import { assertNoStack, assertOneSentence } from './harness/assertions.ts'
import { mountReadOnly, SmallDisk, whyNoMount } from './harness/disk.ts'
import { underLoad } from './harness/load.ts'
import { openLoopback } from './harness/loopback.ts'
import type { Program } from './harness/program.ts'
import { numberedLines, UNKNOWN_KEY } from './harness/samples.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'
import { readInput } from './harness/stored-log.ts'

const skip = whyNoMount
/** Numbered lines of 1 KiB. */
function wideLines(from: number, count: number): string {
  return Array.from({ length: count }, (_, index) => `${String(from + index).padEnd(1023, '.')}\n`).join('')
}

test('a writer whose disk is full exits with 8 and the cause; every line it published is whole, and with space it continues', {
  skip
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  await mkdir(sandbox.path('disk'))
  const disk = SmallDisk.mount(t, sandbox.path('disk'), 12)
  const writer = await sandbox.writer({ storage: 'disk/w' })
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { args: ['--raw'] })
  await writer.write(wideLines(0, 500))
  await reader.stdout.until('500 lines', () => reader.stdout.lineCount >= 500)
  await disk.fill()
  writer.end(wideLines(500, 20_000))
  await writer.ends(8)
  assert.match(writer.stderr.text, /^writer: \S+\/disk\/w: no space is left for the store/m)
  assertNoStack(writer)

  disk.resize(80)
  const again = await sandbox.writer({ storage: 'disk/w' })
  assert.equal(await keyOf(again), key)
  await again.write('after\n')
  await reader.stdout.until('the line after', () => reader.stdout.text.endsWith('\nafter\n'))
  again.signal('SIGTERM')
  await again.ends(143)
  const had = (await readInput(sandbox.path('disk/w'))).toString()
  const published = had.slice(0, -'after\n'.length)
  // the published lines are whole and in order, with all that the reader had
  assert.ok(wideLines(0, 20_500).startsWith(published))
  assert.ok(published.endsWith('\n') && published.length >= 500 * 1024)
  const [, safe] = /\. (\d+) lines are safe; free space and start again$/m.exec(writer.stderr.text) ?? []
  assert.ok(Number(safe) >= 500 && published.split('\n').length > Number(safe), `${safe} lines are safe`)
  assert.equal(reader.stdout.text, had)
})

/** The longest time from the first line that does not fit to the message, on any network. */
const MESSAGE_MS = 2000

for (const network of ['a DHT that answers', 'a DHT that does not']) {
  test(`writer and reader report a full disk within 2 s of the first line that does not fit; network: ${network}`, {
    skip
  }, async (t) => {
    const sandbox = await Sandbox.open(t)
    const bootstrap = await bootstrapOf(t, network)
    for (const name of ['w', 'r']) await mkdir(sandbox.path(name))
    const disks = {
      writer: SmallDisk.mount(t, sandbox.path('w'), 12),
      reader: SmallDisk.mount(t, sandbox.path('r'), 12)
    }
    const writer = await sandbox.writer({ bootstrap, storage: 'w/store' })
    const reader = await sandbox.reader(await keyOf(writer), {
      bootstrap,
      storage: 'r/store',
      args: ['--raw']
    })
    await writer.write(wideLines(0, 500))
    await reader.stdout.until('500 lines', () => reader.stdout.lineCount >= 500)
    let lines = 500
    for (const program of [reader, writer]) {
      await disks[program.name as keyof typeof disks].fill()
      const began = performance.now()
      // the first lines still fit into space that the store has reserved
      const writing = writer.write(wideLines(lines, 2000)).catch(() => {})
      await program.stderr.says('no space is left for the store')
      const took = performance.now() - began
      t.diagnostic(`${program.name}: said after ${Math.round(took)} ms`)
      assert.ok(took < underLoad(MESSAGE_MS), `${program.name}: said after ${took} ms`)
      await writing
      lines += 2000
    }
    await writer.ends(8)
  })
}

async function bootstrapOf(t: TestContext, network: string): Promise<string> {
  return network === 'a DHT that answers' ? (await openLoopback(t)).address : '127.0.0.1:9'
}

for (const output of [false, true]) {
  test(`a reader whose disk is full says so, waits, and continues once there is space${output ? ' (--output)' : ''}`, {
    skip
  }, async (t) => {
    const sandbox = await Sandbox.open(t)
    await mkdir(sandbox.path('disk'))
    const disk = SmallDisk.mount(t, sandbox.path('disk'), 8)
    const writer = await sandbox.writer()
    const key = await keyOf(writer)
    const file = sandbox.path('copy')
    const reader = await sandbox.reader(key, {
      storage: 'disk/r',
      args: output ? ['--output', file] : ['--raw']
    })
    const got = async (): Promise<string> => (output ? await readFile(file, 'utf8') : reader.stdout.text)
    const lines = wideLines(0, 6000)
    const began = performance.now()
    await writer.write(lines)
    await reader.stderr.says('no space is left for the store')
    const took = performance.now() - began
    assert.ok(took < underLoad(4000), `said after ${took} ms`)
    t.diagnostic(`said after ${Math.round(took)} ms, the 6 MB before it included`)
    assert.ok((await got()).length < lines.length)
    assert.ok(reader.isRunning)
    disk.resize(200)
    const deadline = Date.now() + underLoad(30_000)
    while ((await got()).length < lines.length) {
      assert.ok(Date.now() < deadline && reader.isRunning, reader.stderr.text)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await writer.write('after\n')
    while (!(await got()).endsWith('after\n')) {
      assert.ok(Date.now() < deadline && reader.isRunning, reader.stderr.text)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.ok((await got()) === `${lines}after\n`, 'a line is missing or repeated')
    reader.signal('SIGTERM')
    await reader.ends(143)
    assertNoStack(reader)
  })
}

/** The most lines that may be repeated, as after `kill -9`. */
const MOST_REPEATED = 1000

test('a reader that is stopped while its disk is full repeats at most 1,000 lines', {
  skip
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  await mkdir(sandbox.path('disk'))
  const disk = SmallDisk.mount(t, sandbox.path('disk'), 8)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  // short lines: tens of thousands are printed between two commits
  const count = 400_000
  await writer.write(numberedLines(0, count))
  const full = 'no space is left for the store'
  const reader = await sandbox.reader(key, { storage: 'disk/r', args: ['--raw'] })
  for (let time = 1; time <= 3; time++) {
    await reader.stderr.until(`${full}, time ${time}`, () => reader.stderr.text.split(full).length > time)
    // enough for a new attempt, but not to continue
    if (time < 3) disk.resize(8 + 4 * time)
  }
  reader.signal('SIGTERM')
  await reader.ends(143)
  assert.ok(reader.stdout.lineCount < count)

  disk.resize(200)
  const again = await sandbox.reader(key, { storage: 'disk/r', args: ['--raw', '--until', 'end'] })
  await again.ends(0)
  const repeated = reader.stdout.lineCount + again.stdout.lineCount - count
  t.diagnostic(`${repeated} of ${reader.stdout.lineCount} lines were repeated`)
  assert.ok(repeated >= 0 && repeated <= MOST_REPEATED, `${repeated} lines were repeated`)
  assert.ok(reader.stdout.text === numberedLines(0, reader.stdout.lineCount))
  assert.ok(again.stdout.text === numberedLines(count - again.stdout.lineCount, again.stdout.lineCount))
})

test('--output on a full disk: 8 and the cause; with space, the file gets each line once', {
  skip
}, async (t) => {
  const sandbox = await Sandbox.open(t)
  await mkdir(sandbox.path('disk'))
  const disk = SmallDisk.mount(t, sandbox.path('disk'), 1)
  const lines = wideLines(0, 3000)
  const key = await sandbox.publish(lines)
  const writer = await sandbox.writer()
  await keyOf(writer)
  const read = (): Promise<Program> =>
    sandbox.reader(key, { args: ['--exit', '--output', sandbox.path('disk/copy')] })
  const reader = await read()
  await reader.ends(8)
  assert.match(reader.stderr.text, /disk\/copy: .*(ENOSPC|no space)/i)
  assertNoStack(reader)
  disk.resize(10)
  await (await read()).ends(0)
  assert.equal(await readFile(sandbox.path('disk/copy'), 'utf8'), lines)
})

test('a read-only store or directory: 8 in one sentence', { skip }, async (t) => {
  const sandbox = await Sandbox.open(t)
  const key = await sandbox.publish(numberedLines(0, 3))
  await mkdir(sandbox.path('empty'))
  for (const name of ['writer', 'empty']) {
    await mkdir(sandbox.path(`ro-${name}`))
    mountReadOnly(t, sandbox.path(name), sandbox.path(`ro-${name}`))
    for (const storage of [`ro-${name}`, `ro-${name}/new`])
      for (const program of [
        await sandbox.writer({ storage }),
        await sandbox.reader(key, { storage, args: ['--exit', '--timeout', '1'] })
      ]) {
        await program.ends(8)
        assertOneSentence(program)
      }
  }
})

test('a store of another user: 8 in one sentence', { skip }, async (t) => {
  const sandbox = await Sandbox.open(t)
  await sandbox.publish(numberedLines(0, 3))
  await chmod(sandbox.path('.'), 0o755)
  await mkdir(sandbox.path('run-other'), { mode: 0o700 })
  await chown(sandbox.path('run-other'), 65534, 65534)
  const env = { MANY_CORES_RENDEZVOUS: sandbox.path('run-other') }
  for (const storage of ['writer', 'writer/db', 'new']) {
    for (const program of [
      await sandbox.writer({ storage, uid: 65534, env }),
      await sandbox.reader(UNKNOWN_KEY, { storage, uid: 65534, env })
    ]) {
      await program.ends(8)
      assertOneSentence(program)
    }
  }
  assert.equal((await stat(sandbox.path('writer'))).mode & 0o777, 0o700)
})
