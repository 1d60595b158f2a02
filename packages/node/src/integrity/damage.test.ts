import assert from 'node:assert/strict'
import { cp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import type { CorestoreStorage } from 'corestore'
import { openReader, openWriter } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { collect, createLog, createMachine, type Machine, take } from '../testing/support.ts'

/** Lines long enough for a blob file, each one a block. */
const long = Array.from({ length: 8 }, (_, index) => `${index} ${'x'.repeat(20_000)}\n`)

/** Lines that change core so often that their record is long enough for one, too. */
const mixed = Array.from({ length: 2000 }, (_, index) => (index % 2 === 0 ? 's\n' : 'a long line\n'))

/** Creates a log with these batches, and `copy`, a reader's store that has all of it. Both are closed. Returns the key. */
async function write(machine: Machine, batches: readonly (readonly string[])[]): Promise<string> {
  const node = await machine.open('w')
  const writer = await openWriter(node)
  for (const batch of batches) await writer.publish(batch)
  const copy = await machine.open('copy')
  const reader = await openReader(copy, writer.key)
  await deadline('a copy', collect(reader.batches({ until: writer.length })))
  await copy.close()
  await node.close()
  return writer.key
}

/** Flips a bit after `text` in the store's files. */
async function damage(storage: string, text: string): Promise<void> {
  const db = join(storage, 'db')
  for (const name of (await readdir(db)).filter((file) => file.endsWith('.blob'))) {
    await using file = await open(join(db, name), 'r+')
    const bytes = await file.readFile()
    const at = bytes.indexOf(text)
    if (at === -1) continue
    const byte = at + text.length
    await file.write(Buffer.from([(bytes[byte] ?? 0) ^ 1]), 0, 1, byte)
    return
  }
  throw new Error(`${text} is in no file`)
}

/** Compacts the database, which meets a damaged block and refuses writes from then on. */
async function compact(storage: CorestoreStorage): Promise<void> {
  const { db } = storage as CorestoreStorage & { readonly db: { compact(options: object): Promise<void> } }
  // rewrites every blob, FORCE both times
  const options = {
    exclusive: true,
    blobGarbageCollectionPolicy: 1,
    blobGarbageCollectionAgeCutoff: 1,
    bottommostLevelCompaction: 2
  }
  await assert.rejects(db.compact(options), { code: 'EIO' })
}

test('a damaged block of the writer is reported, all others are served, and a reader that has it repairs it', async (t) => {
  const machine = await createMachine(t)
  const key = await write(
    machine,
    long.map((line) => [line])
  )
  await damage(join(machine.directory, 'w'), '3 xxxx')
  const { onStatus, until } = createLog()
  const writer = await openWriter(await machine.open('w', { onStatus }))
  const reader = await openReader(await machine.open('r'), key)
  const following = reader.batches()
  assert.deepEqual(await take(following, 3), long.slice(0, 3))
  const fourth = take(following, 1)
  assert.deepEqual(await until('damaged'), { state: 'damaged', core: 'long', index: 3 })
  // the blocks after it are served, and so are new ones
  await writer.publish(['live\n'])
  const behind = await deadline('the others', collect(reader.batches({ from: 4, until: 9 })))
  assert.equal(behind.toString(), `${long.slice(4).join('')}live\n`)
  const copy = await machine.open('copy')
  await openReader(copy, key)
  assert.deepEqual(await until('repaired'), { state: 'repaired', core: 'long', index: 3 })
  assert.deepEqual(await fourth, [long[3]])
  // now the writer serves it
  await copy.close()
  const late = await openReader(await machine.open('late'), key)
  const all = await deadline('everything', collect(late.batches({ until: 9 })))
  assert.equal(all.toString(), `${long.join('')}live\n`)
})

test('a writer whose last record is damaged fetches it from a reader before it appends, and refuses to append without one', async (t) => {
  const machine = await createMachine(t)
  const key = await write(machine, [['first\n'], mixed])
  await damage(join(machine.directory, 'w'), '"order":[0,1,1')
  const { onStatus, until } = createLog()
  const node = await machine.open('w', { onStatus })
  await assert.rejects((await openWriter(node)).publish(['no\n']), {
    code: 'STORE_REFUSED',
    message: /block 2 of the journal is missing/
  })
  assert.deepEqual(await until('damaged'), { state: 'damaged', core: 'bootstrap', index: 2 })
  await node.close()
  await openReader(await machine.open('copy'), key)
  const writer = await openWriter(await machine.open('w'))
  assert.deepEqual(await writer.publish(['after\n']), { position: 2001, count: 1 })
})

test('an idle writer ends with STORE_DAMAGED once RocksDB refuses writes, and its store can be opened again', async (t) => {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const first = await openWriter(writing)
  for (const line of long) await first.publish([line])
  await writing.close()
  await damage(writing.storage, '3 xxxx')
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const fault = { code: 'STORE_DAMAGED', message: new RegExp(`^${node.storage}: `) }
  const end = assert.rejects(writer.serve(new AbortController().signal), fault)
  await compact(internalsOf(node).store.storage)
  // the writer notes which blocks a peer has
  const reader = await openReader(await machine.open('r'), first.key)
  await take(reader.batches({ until: 3 }), 3)
  await deadline('the end of the writer', end)
  await assert.rejects(writer.publish(['no\n']), fault)
  await node.close()
  await machine.open('w')
})

test('a cursor that was committed before a clean shutdown is there, or its database is reported as damaged', async (t) => {
  const machine = await createMachine(t)
  const key = await write(machine, [['first\n'], ['second\n']])
  const copy = await machine.open('copy')
  await (await (await openReader(copy, key)).cursor()).commit(1)
  await copy.close()
  const db = join(machine.directory, 'copy', 'db')
  const kept = `${db}.kept`
  await cp(db, kept, { recursive: true })
  const files = (await readdir(kept)).filter((name) => /\.(log|sst)$/.test(name))
  let damaged = 0
  for (const name of files) {
    await rm(db, { recursive: true })
    await cp(kept, db, { recursive: true })
    const bytes = await readFile(join(db, name))
    const start = bytes.byteLength >> 2
    bytes.subarray(start, start + 64).fill(0)
    await writeFile(join(db, name), bytes)
    try {
      await using node = await machine.open('copy')
      assert.equal((await (await openReader(node, key)).cursor()).position, 1, name)
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, 'STORE_DAMAGED', String(error))
      damaged++
    }
  }
  assert.ok(damaged > 0, 'the cursor is in none of the files')
})
