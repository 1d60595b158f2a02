import assert from 'node:assert/strict'
import { readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import Corestore from 'corestore'
import { type Node, openReader, openWriter, type Status } from '../index.ts'
import { collect, createMachine, type Machine } from '../testing/support.ts'

const MARK = 'WRITER-CLOSED'

/** What the newest log of the database held last, as after a power cut. */
async function loseTail(storage: string, kept: number): Promise<void> {
  const db = join(storage, 'db')
  const logs = (await readdir(db)).filter((name) => name.endsWith('.log')).sort()
  await truncate(join(db, logs.at(-1) ?? ''), kept)
}

async function logSize(storage: string): Promise<number> {
  const db = join(storage, 'db')
  const logs = (await readdir(db)).filter((name) => name.endsWith('.log')).sort()
  return (await stat(join(db, logs.at(-1) ?? ''))).size
}

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${index % 2 === 0 ? '' : 'a long line '}${from + index}\n`)

/** A writer with 20 lines, of which its store keeps ten, and a reader that has them all. */
async function loseHalf(machine: Machine, { isClean = false } = {}): Promise<{ key: string; reader: Node }> {
  const before = await machine.open('w')
  const writer = await openWriter(before)
  for (const line of lines(0, 10)) await writer.publish([line])
  const kept = await logSize(before.storage)
  for (const line of lines(10, 20)) await writer.publish([line])
  const reader = await machine.open('r')
  const copy = await openReader(reader, writer.key)
  await deadline('the reader to have all', collect(copy.batches({ until: 20 })))
  await copy.close()
  await before.close()
  await loseTail(before.storage, kept)
  if (!isClean) await rm(join(before.storage, MARK))
  await reader.close()
  return { key: writer.key, reader }
}

for (const isClean of [false, true]) {
  test(`a writer that lost its newest lines${isClean ? ' behind a clean end' : ''} gets them back from a reader before it appends`, async (t) => {
    const machine = await createMachine(t)
    const { key } = await loseHalf(machine, { isClean })
    const reader = await openReader(await machine.open('r'), key)
    const seen: Status[] = []
    const node = await machine.open('w', { onStatus: (status) => seen.push(status) })
    const writer = await openWriter(node)
    assert.equal(writer.key, key)
    assert.equal(writer.length, 20)
    assert.ok(
      seen.some((status) => status.state === 'regained' && status.lines === 10),
      JSON.stringify(seen)
    )
    await writer.publish(['after\n'])
    const all = (await deadline('the reader', collect(reader.batches({ until: 21 })))).toString()
    assert.equal(all, `${lines(0, 20).join('')}after\n`)
    assert.deepEqual((await reader.verify({ timeout: 5000 })).lines, 21)
  })
}

test('a writer that knows of lost lines, and meets nobody who has them, refuses to append', async (t) => {
  const machine = await createMachine(t)
  await loseHalf(machine, { isClean: true })
  for (const _ of ['first', 'and again']) {
    const node = await machine.open('w')
    await assert.rejects(openWriter(node), {
      code: 'STORE_REFUSED',
      message: /had 10 records more .*: start again while a reader that has everything is connected/
    })
    await node.close()
  }
})

test('a writer that was killed goes on at once where nobody can be reached, and asks nobody after a clean end', async (t) => {
  const machine = await createMachine(t)
  const asked: Status['state'][] = []
  const onStatus = ({ state }: Status): void => void (state === 'comparing' && asked.push(state))
  for (const [length, marked] of [
    [0, true],
    [1, true],
    [2, false]
  ] as const) {
    const node = await machine.open('w', { onStatus })
    const began = performance.now()
    const writer = await openWriter(node)
    assert.ok(performance.now() - began < 1000, 'it waited')
    assert.equal(writer.length, length)
    await writer.publish(['a line\n'])
    await assert.rejects(stat(join(node.storage, MARK)), { code: 'ENOENT' }, 'appended to, it has an end')
    await node.close()
    if (!marked) continue
    await stat(join(node.storage, MARK))
    if (length === 1) await rm(join(node.storage, MARK))
  }
  assert.deepEqual(asked, ['comparing'])
})

test('a writer that closed without appending still has its clean end', async (t) => {
  const machine = await createMachine(t)
  for (const _ of [1, 2]) {
    const node = await machine.open('w')
    await openWriter(node)
    await node.close()
    await stat(join(node.storage, MARK))
  }
})

test('a writer that is killed while it gets back what it lost does not append behind the half of it', async (t) => {
  const machine = await createMachine(t)
  const { key } = await loseHalf(machine)
  // the journal alone, as if killed before the blocks came; plain Corestore has no order
  const store = new Corestore(join(machine.directory, 'w'))
  const copy = new Corestore(join(machine.directory, 'r'))
  const [ours, theirs] = [store.get({ name: 'core-1' }), copy.get({ key })]
  await Promise.all([ours.ready(), theirs.ready()])
  const [here, there] = [store.replicate(true), copy.replicate(false)]
  here.pipe(there).pipe(here)
  await deadline('the journal', ours.update({ force: true, wait: true }))
  await ours.download({ start: 0, end: 21 }).done()
  await Promise.all([store.close(), copy.close()])

  const alone = await machine.open('w')
  await assert.rejects(openWriter(alone), {
    code: 'STORE_REFUSED',
    message: /while a reader that has everything/
  })
  await alone.close()
  await openReader(await machine.open('r'), key)
  const writer = await openWriter(await machine.open('w'))
  assert.equal(writer.length, 20)
  await writer.publish(['after\n'])
})

test('a source that goes on at its checkpoint does not publish again what was lost together with it and came back', async (t) => {
  const machine = await createMachine(t)
  const name = 'source'
  const at = ({ lines: published }: { lines: number }): string => `${start + published}`
  let start = 0
  const source = async function* (from: number, to: number): AsyncGenerator<Uint8Array> {
    for (const line of lines(0, to).slice(from)) yield Buffer.from(line)
  }
  const before = await machine.open('w')
  const writer = await openWriter(before)
  await writer.publishBytes(source(0, 10), { checkpoint: { name, at } })
  const kept = await logSize(before.storage)
  start = 10
  await writer.publishBytes(source(10, 20), { checkpoint: { name, at } })
  const reader = await openReader(await machine.open('r'), writer.key)
  await deadline('the reader to have all', collect(reader.batches({ until: 20 })))
  await before.close()
  await loseTail(before.storage, kept)
  // twice: it is killed before it has a new checkpoint
  for (const isLast of [false, true]) {
    const node = await machine.open('w')
    const again = await openWriter(node)
    assert.equal(again.length, 20)
    start = Number(Buffer.from((await again.checkpoint(name)) ?? []).toString())
    assert.equal(start, 10)
    const to = isLast ? 25 : 20
    await again.publishBytes(source(start, to), { checkpoint: { name, at } })
    assert.equal(again.length, to)
    const all = await deadline('the reader', collect(reader.batches({ until: to })))
    assert.equal(all.toString(), lines(0, to).join(''))
    await node.close()
    if (!isLast) await rm(join(node.storage, MARK))
  }
  const last = await openWriter(await machine.open('w'))
  assert.equal(Buffer.from((await last.checkpoint(name)) ?? []).toString(), '25')
})
