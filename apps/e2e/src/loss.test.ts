import assert from 'node:assert/strict'
import { cp, readdir, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { atEnd } from '@many-cores/testing'
import Corestore from 'corestore'
import { numberedLines } from './samples.ts'
import { keyOf, Sandbox } from './sandbox.ts'

/** On the writer's disk, with the reader, and published when the power fails. */
const [KEPT, READ, PUBLISHED] = [5, 8, 12]

interface Scene {
  readonly sandbox: Sandbox
  readonly key: string
}

/**
 * A writer that follows a file, and lost power: its store ends behind KEPT lines. Its reader has printed READ lines, and holds the
 * records of all, whose blocks nobody has.
 */
async function losePower(t: TestContext): Promise<Scene> {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer()
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { args: ['--raw', '--count', `${READ}`] })
  for (let line = 0; line < KEPT; line++) await publish(line)
  const { size } = await stat(await newestLog(sandbox.path('writer')))
  for (let line = KEPT; line < READ; line++) await publish(line)
  await reader.ends(0)
  const rest = await sandbox.reader(key, { storage: 'rest', args: ['--raw'] })
  for (let line = READ; line < PUBLISHED; line++) {
    await writer.write(numberedLines(line, 1))
    await rest.stdout.firstLines(line + 1)
  }
  await rest.kill()
  writer.signal('SIGKILL')
  await writer.ends('SIGKILL')
  await takeRecords(t, sandbox, key)
  await truncate(await newestLog(sandbox.path('writer')), size)
  return { sandbox, key }

  async function publish(line: number): Promise<void> {
    await writer.write(numberedLines(line, 1))
    await reader.stdout.firstLines(line + 1)
  }
}

async function takeRecords(t: TestContext, sandbox: Sandbox, key: string): Promise<void> {
  // a copy: RocksDB leaves its log behind, and what is cut off it, when it is opened again
  await cp(sandbox.path('writer'), sandbox.path('copy'), { recursive: true })
  const ours = new Corestore(sandbox.path('copy'), { allowBackup: true })
  const theirs = new Corestore(sandbox.path('reader'))
  atEnd(t, async () => void (await Promise.all([ours.close(), theirs.close()])))
  const [here, there] = [ours.replicate(true), theirs.replicate(false)]
  here.pipe(there).pipe(here)
  const journal = theirs.get({ key })
  await journal.ready()
  while (journal.length < PUBLISHED + 1) await journal.update({ wait: true })
  await journal.download({ start: 0, end: PUBLISHED + 1 }).done()
  await Promise.all([ours.close(), theirs.close()])
}

async function newestLog(storage: string): Promise<string> {
  const db = join(storage, 'db')
  const logs = (await readdir(db)).filter((name) => name.endsWith('.log')).sort()
  return join(db, logs.at(-1) ?? '')
}

const LOST = /lines 8 to 11 were lost at the writer, for good: going on behind them/

test('a writer that lost lines which nobody has refuses with 8, and with --accept-loss goes on; readers say what was lost, and go on', async (t) => {
  const { sandbox, key } = await losePower(t)
  const live = await sandbox.reader(key, { args: ['--json'] })
  await live.stderr.says('alone, looking for peers')

  const refused = await sandbox.writer({ args: ['--exit'] })
  refused.end('not to be published\n')
  await refused.ends(8)
  assert.equal(refused.stdout.text, '')
  assert.match(
    refused.stderr.text,
    /^writer: the store cannot be written to: .* while a reader that has everything is connected, or go on without those lines, for good: --accept-loss$/m
  )

  const writer = await sandbox.writer({ env: { MANY_CORES_ACCEPT_LOSS: '1' } })
  assert.equal(await keyOf(writer), key)
  assert.match(writer.stderr.text, LOST)
  await writer.write('after\n')
  await live.stdout.firstLines(1)
  const { position, text } = JSON.parse(live.stdout.text) as { position: number; text: string }
  assert.deepEqual({ position, text }, { position: PUBLISHED, text: 'after\n' })
  assert.equal(live.stderr.text.match(new RegExp(LOST, 'g'))?.length, 1)
  await live.kill()

  const again = await sandbox.reader(key, { args: ['--raw', '--exit', '--from', 'start'] })
  await again.ends(0)
  assert.equal(again.stdout.text, `${numberedLines(0, READ)}after\n`)
  assert.match(again.stderr.text, LOST)

  const fresh = await sandbox.reader(key, { storage: 'fresh', args: ['--exit'] })
  await fresh.ends(0)
  assert.equal(fresh.stdout.lineCount, READ + 1)
  assert.match(fresh.stdout.text, /^Block 12 in Core [0-9a-f]{64}: after$/m)
  const verified = await sandbox.reader(key, { command: 'verify', storage: 'fresh' })
  await verified.ends(0)
  assert.match(verified.stdout.text, /^verified 9 lines, .*: 9 batches in 9 blocks of 2 cores\n$/)

  await writer.write('later\n')
  const behind = await sandbox.reader(key, {
    storage: 'fresh',
    args: ['--raw', '--from', '12', '--until', '14']
  })
  await behind.ends(0)
  assert.equal(behind.stdout.text, 'after\nlater\n')
  assert.doesNotMatch(behind.stderr.text, LOST)
})

test('behind lines that were given up --output goes on; whoever had all of them, and was away, stops with 5', async (t) => {
  const { sandbox, key } = await losePower(t)
  const output = sandbox.path('copy.txt')
  const holder = await sandbox.reader(key, { args: ['--raw'] })
  await holder.stderr.says('alone')
  const writer = await sandbox.writer({ args: ['--accept-loss'] })
  await keyOf(writer)
  await writer.write('after\n')
  await holder.stdout.firstLines(1)
  await holder.kill()
  const copy = await sandbox.reader(key, { storage: 'copy-reader', args: ['--output', output, '--exit'] })
  await copy.ends(0)
  await writer.write('more\n')
  const next = await sandbox.reader(key, {
    storage: 'copy-reader',
    args: ['--output', output, '--until', '14']
  })
  await next.ends(0)
  assert.equal(await readFile(output, 'utf8'), `${numberedLines(0, READ)}after\nmore\n`)

  // who had everything and was away is no part of this history
  const away = await sandbox.reader(key, { storage: 'rest', args: ['--raw'] })
  await away.ends(5)
  assert.match(away.stderr.text, /history was rewritten/)
})
