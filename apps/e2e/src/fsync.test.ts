import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import { cutPower, recordSyncs } from '@many-cores/testing'
import type { Program } from './harness/program.ts'
import { keyOf, Sandbox } from './harness/sandbox.ts'

/** The recorded syncs: path, and what was synced, or `failed`. */
async function syncs(record: string): Promise<(readonly [path: string, synced: unknown])[]> {
  const text = await readFile(record, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as [string, unknown])
}

test('the key that a writer has printed, and its first line, survive an immediate power loss', async (t) => {
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
  assert.match(last.stderr.text, /0 lines published, 1 in total/)
})

test('a writer whose disk does not sync exits with 8; no peer gets the line, and the sync is not retried', async (t) => {
  const sandbox = await Sandbox.open(t)
  const record = sandbox.path('record')
  const key = await sandbox.publish('line 0\n')
  const writer = await sandbox.writer({ env: recordSyncs(record, 5) })
  const reader = await sandbox.reader(key, { args: ['--raw'] })
  let line = 1
  for (; writer.isRunning; line++) {
    await writer.write(`line ${line}\n`).catch(() => {})
    // the last line never arrives
    await Promise.race([printed(reader, line).catch(() => {}), writer.exitCode('a sync that fails')])
  }
  await writer.ends(8)
  assert.match(writer.stderr.text, /^writer: \S+: cannot sync the store to disk: .*EIO/m)
  const failed = (await syncs(record)).filter(([, synced]) => synced === 'failed')
  assert.equal(failed.length, 1)
  // the last line that was written is the one that was not synced
  assert.equal(reader.stdout.lineCount, line - 1)
  const again = await sandbox.writer()
  await again.write('after\n')
  await reader.stdout.until('the line after', () => reader.stdout.text.endsWith('after\n'))
})

async function printed(reader: Program, line: number): Promise<void> {
  await reader.stdout.until(`line ${line}`, () => reader.stdout.lineCount > line)
}

test('with --no-fsync, nothing is synced before the shutdown', async (t) => {
  const sandbox = await Sandbox.open(t)
  const record = sandbox.path('record')
  const env = recordSyncs(record)
  const writer = await sandbox.writer({ args: ['--no-fsync'], env })
  const key = await keyOf(writer)
  const reader = await sandbox.reader(key, { args: ['--raw', '--no-fsync'], env })
  await writer.write('a line\n')
  await printed(reader, 0)
  assert.deepEqual(await syncs(record), [])
  writer.signal('SIGTERM')
  await writer.ends(143)
  assert.ok((await syncs(record)).some(([path]) => path.endsWith('.log')))
})
