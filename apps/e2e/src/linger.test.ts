import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import type { Program } from './harness/program.ts'
import { linesOf } from './harness/samples.ts'
import { ended, keyOf, Sandbox } from './harness/sandbox.ts'
import { linesOfRecord, readStore } from './harness/stored-log.ts'

/** A day: a program that waits for it fails the test. */
const FOREVER = '86400000'

/** The lines of each journal record in the writer's store. */
async function batchesOf(sandbox: Sandbox): Promise<string[][]> {
  const log = await readStore(sandbox.path('writer'))
  return log.records.map((record) => [...linesOfRecord(record, log)].map(({ line }) => line.toString()))
}

interface Started {
  readonly sandbox: Sandbox
  readonly writer: Program
  readonly key: string
}

async function start(t: TestContext, linger: string, ...args: readonly string[]): Promise<Started> {
  const sandbox = await Sandbox.open(t)
  const writer = await sandbox.writer({ args: ['--linger', linger, ...args] })
  return { sandbox, writer, key: await keyOf(writer) }
}

test('lines that come one by one are one record, and the end of the input does not wait', async (t) => {
  const { sandbox, writer } = await start(t, FOREVER, '--exit')
  for (const line of linesOf(0, 20)) await writer.write(line)
  writer.end('the last one')
  await writer.ends(0)
  assert.deepEqual(await batchesOf(sandbox), [[...linesOf(0, 20), 'the last one']])
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`after ${signal}, lines that wait for others are stored at once`, async (t) => {
    const { sandbox, writer } = await start(t, FOREVER)
    await writer.write('one\ntwo\n')
    writer.signal(signal)
    await writer.ends(signal === 'SIGTERM' ? 143 : 130)
    assert.equal(writer.stderr.text.includes('not closed'), false, writer.stderr.text)
    assert.deepEqual(await batchesOf(sandbox), [['one\n', 'two\n']])
  })
}

test('a line that no other joins reaches a reader after the linger time', async (t) => {
  const { sandbox, writer, key } = await start(t, '50')
  const reader = await sandbox.reader(key, { args: ['--raw'] })
  for (const [index, line] of linesOf(0, 3).entries()) {
    await writer.write(line)
    await reader.stdout.firstLines(index + 1)
  }
  assert.equal(reader.stdout.text, linesOf(0, 3).join(''))
})

test('lines of a followed file share a record with its checkpoint; its end does not wait', async (t) => {
  const sandbox = await Sandbox.open(t)
  const file = sandbox.path('app.log')
  const publish = async (from: number, to: number): Promise<void> => {
    for (const line of linesOf(from, to)) await appendFile(file, line)
    const args = ['--linger', FOREVER, '--input', file, '--exit']
    await ended(sandbox.writer({ args }))
  }
  await publish(0, 10)
  await publish(10, 30)
  assert.deepEqual(await batchesOf(sandbox), [linesOf(0, 10), linesOf(10, 30)])
})

test('an invalid linger time is a usage error, before a store is created', async (t) => {
  const sandbox = await Sandbox.open(t)
  for (const text of ['-1', 'soon', '1.5', '', '5s', '2147483648']) {
    const { stderr } = await ended(sandbox.writer({ args: [`--linger=${text}`, '--exit'] }), 2)
    assert.match(stderr.text, /^writer: --linger[^\n]*\n$/, text)
  }
  assert.equal(existsSync(sandbox.path('writer')), false)
})
