import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import {
  type DiagnosisOptions,
  diagnose,
  type Finding,
  openReader,
  openWriter,
  type Status
} from './index.ts'
import { internalsOf } from './internals.ts'
import { createMachine, type Machine, take } from './testing/support.ts'

/** The findings on a machine, by check. */
async function examine(machine: Machine, options: DiagnosisOptions): Promise<Map<string, Finding>> {
  const findings = new Map<string, Finding>()
  const all = { local: true, rendezvous: join(machine.directory, 'meet'), timeout: 2000, ...options }
  for await (const finding of diagnose(all)) findings.set(finding.check, finding)
  return findings
}

function failures(findings: ReadonlyMap<string, Finding>): string[] {
  return [...findings.values()].flatMap(({ check, outcome, code }) =>
    outcome === 'failed' ? [`${check} ${code}`] : []
  )
}

test('peers see the id of the given store, and if one refuses it, the finding names that id', async (t) => {
  const machine = await createMachine(t)
  const [allowed, stranger] = [await machine.open('allowed'), await machine.open('stranger')]
  await Promise.all([allowed.close(), stranger.close()])
  const writer = await openWriter(await machine.open('w', { allow: [allowed.id] }))
  await writer.publish(['for some\n'])
  const { key } = writer

  const fine = await examine(machine, { key, home: allowed.storage })
  assert.deepEqual(failures(fine), [])
  assert.equal(fine.get('store')?.outcome, 'ok')

  const refused = await examine(machine, { key, home: stranger.storage })
  assert.deepEqual(failures(refused), ['peer NOT_FOUND'])
  assert.ok(refused.get('peer')?.text.includes(stranger.id))
  assert.ok(refused.get('peer')?.remedy?.includes(stranger.id))
})

test('a peer that is not on the own list is not connected, and how to allow it is the remedy', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const { key } = await openWriter(writing)
  const fine = await examine(machine, { key, allow: [writing.id] })
  assert.deepEqual(failures(fine), [])
  const found = await examine(machine, { key, allow: ['ab'.repeat(32)] })
  assert.deepEqual(failures(found), ['peer NOT_FOUND'])
  assert.ok(found.get('peer')?.text.includes(writing.id))
})

test('with local, no relay is advised', async (t) => {
  const machine = await createMachine(t)
  const found = await examine(machine, { key: 'ab'.repeat(32) })
  assert.deepEqual(failures(found), ['peer NOT_FOUND'])
  assert.doesNotMatch(found.get('peer')?.remedy ?? '', /--relay/)
})

test('two histories that were found before fail the check of the store, for their own log alone', async (t) => {
  const machine = await createMachine(t)
  const { key, manifest } = await openWriter(await machine.open('w'))
  const { key: other } = await openWriter(await machine.open('x'))
  const copy = await machine.open('r')
  await openReader(copy, key)
  await openReader(copy, other)
  await copy.close()
  for (const core of [key, manifest.cores[0]?.key]) {
    await writeFile(join(copy.storage, 'REWRITTEN'), `${JSON.stringify({ key: core, length: 1 })}\n`)
    const found = await examine(machine, { key, home: copy.storage })
    assert.deepEqual(failures(found), ['store REWRITTEN'])
    assert.deepEqual(failures(await examine(machine, { key: other, home: copy.storage })), [])
  }
})

test('a missing store is not created', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  const findings = await examine(machine, { key: writer.key, home: join(machine.directory, 'none') })
  assert.deepEqual(failures(findings), [])
  assert.equal(findings.get('store')?.outcome, 'skipped')
  assert.ok(!(await readdir(machine.directory)).includes('none'))
})

test('a store that is in use keeps its lock and its connections', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  const heard: Status[] = []
  const node = await machine.open('r', { onStatus: (status) => void heard.push(status) })
  const reader = await deadline('the reader', openReader(node, writer.key))
  const findings = await examine(machine, { key: writer.key, home: node.storage })
  assert.deepEqual(failures(findings), [])
  assert.equal(findings.get('store')?.outcome, 'skipped')
  await writer.publish(['still here\n'])
  assert.deepEqual(await take(reader.batches(), 1), ['still here\n'])
  assert.ok(heard.every((status) => status.state !== 'disconnected' || status.peer !== writing.id))
})

test('if no peer serves the newest record of the journal, the finding is GONE', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  await writer.publish(['a line\n'])
  const { key } = writer
  const { store, join: find } = internalsOf(await machine.open('partial'))
  const core = store.get({ key: Buffer.from(key, 'hex') })
  await core.ready()
  await find(core)
  await deadline('the first block', core.get(0))
  assert.equal(core.length, 2)
  await writing.close()
  assert.deepEqual(failures(await examine(machine, { key })), ['data cores GONE'])
})
