import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import { cutPower, recordSyncs } from '@many-cores/testing'
import type { Program } from './harness/program.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** What was synced, and what could not be: the paths of files, and how it went. */
async function syncs(record: string): Promise<(readonly [path: string, synced: unknown])[]> {
  const text = await readFile(record, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as [string, unknown])
}

test('the key that a writer has printed, and its first line, survive a power cut at once', async (t) => {
  const sandbox = await Sandbox.open(t)
  const record = sandbox.path('record')
  const env = recordSyncs(record)
  const writer = await sandbox.writer({ env })
  const key = await keyOf(writer)
  await writer.kill()
  await cutPower({ storage: sandbox.path('writer'), record })
  const again = await sandbox.writer({ args: ['--exit'], env })
  assert.equal(await keyOf(again), key)
  again.end('a line\n')
  await again.ends(0)
  await cutPower({ storage: sandbox.path('writer'), record })
  const last = await sandbox.writer({ args: ['--exit'] })
  last.end()
  await last.ends(0)
  assert.match(last.stderr.text, /0 lines published, 1 in all/)
})

test('a writer whose disk does not sync leaves with 8, has told no peer of the line, and does not try again', async (t) => {
  const sandbox = await Sandbox.open(t)
  const record = sandbox.path('record')
  const key = await sandbox.publish('line 0\n')
  const writer = await sandbox.writer({ env: recordSyncs(record, 5) })
  const reader = await sandbox.reader(key, { args: ['--raw'] })
  let line = 1
  for (; writer.isRunning; line++) {
    await writer.write(`line ${line}\n`).catch(() => {})
    // the last one is never heard
    await Promise.race([heard(reader, line).catch(() => {}), writer.exitCode('a sync that fails')])
  }
  await writer.ends(8)
  assert.match(writer.stderr.text, /^writer: cannot sync the store to disk: .*EIO/m)
  const failed = (await syncs(record)).filter(([, synced]) => synced === 'failed')
  assert.equal(failed.length, 1)
  // the last one that was written is the one that could not be synced
  assert.equal(reader.stdout.lineCount, line - 1)
  const again = await sandbox.writer()
  await again.write('after\n')
  await reader.stdout.until('the line after', () => reader.stdout.text.endsWith('after\n'))
})

async function heard(reader: Program, line: number): Promise<void> {
  await reader.stdout.until(`line ${line}`, () => reader.stdout.lineCount > line)
}

test('with --no-fsync nothing is synced before the end', async (t) => {
  const sandbox = await Sandbox.open(t)
  const record = sandbox.path('record')
  const env = recordSyncs(record)
  const writer = await sandbox.writer({ args: ['--no-fsync'], env })
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { args: ['--raw', '--no-fsync'], env })
  await writer.write('a line\n')
  await heard(reader, 0)
  assert.deepEqual(await syncs(record), [])
  writer.signal('SIGTERM')
  await writer.ends(143)
  assert.ok((await syncs(record)).some(([path]) => path.endsWith('.log')))
})
