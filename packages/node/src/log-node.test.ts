import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { atEnd, deadline } from '@many-cores/testing'
import {
  knownLength,
  type LogNodeOptions,
  type Node,
  openLogNode,
  openReader,
  openWriter,
  readId,
  type Writer
} from './index.ts'
import { createMachine, type Machine, take } from './testing/support.ts'

const HOLDER = new URL('./testing/log-holder.js', import.meta.url).pathname

/** A writer, and a home of readers. */
interface Scene {
  readonly machine: Machine
  readonly home: string
  readonly writing: Node
  readonly writer: Writer
  readonly open: (options?: Partial<LogNodeOptions>) => Promise<Node>
}

async function createScene(t: TestContext, lines: readonly string[] = ['one\n', 'two\n']): Promise<Scene> {
  const machine = await createMachine(t)
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  await writer.publish(lines)
  const home = join(machine.directory, 'home')
  return {
    machine,
    home,
    writing,
    writer,
    open: async (options) => {
      const rendezvous = join(machine.directory, 'meet')
      const node = await openLogNode({ home, key: writer.key, rendezvous, local: true, ...options })
      atEnd(t, () => deadline('a node to close', node.close()))
      return node
    }
  }
}

/** The temporary stores in a home. */
async function temporaryStores(home: string): Promise<string[]> {
  return (await readdir(join(home, 'logs'))).filter((name) => /^\w{64}\.\d+$/.test(name))
}

test('one home has a store for each log, and one id', async (t) => {
  const { machine, home, open } = await createScene(t)
  const other = await openWriter(await machine.open('x'))
  await other.publish(['other\n'])
  const [first, second] = [await open(), await open({ key: other.key })]
  assert.deepEqual([first.isTemporary, second.isTemporary], [false, false])
  const batches = (await openReader(second, other.key)).batches()
  assert.deepEqual(await take(batches, 1), ['other\n'])
  assert.equal(first.id, second.id)
  assert.equal(await readId(home, { isStore: false }), first.id)
})

test('a second node of one log has a temporary store, gets every line from the first one alone, and deletes it', async (t) => {
  const { home, writer, writing, open } = await createScene(t)
  const first = await open()
  await take((await openReader(first, writer.key)).batches(), 2)
  await writing.close()
  const second = await open()
  assert.ok(second.isTemporary)
  assert.notEqual(second.id, first.id)
  assert.deepEqual(await take((await openReader(second, writer.key)).batches(), 2), ['one\n', 'two\n'])
  assert.equal((await temporaryStores(home)).length, 1)
  await second.close()
  assert.deepEqual(await temporaryStores(home), [])
  const third = await open()
  assert.ok(third.isTemporary)
  await third.close()
  await first.close()
  assert.ok(!(await open()).isTemporary)
})

test('the processes of one home serve each other, whatever they allow', async (t) => {
  const { writer, writing, open } = await createScene(t)
  const first = await open({ allow: [writing.id] })
  await take((await openReader(first, writer.key)).batches(), 2)
  const second = await open({ allow: [] })
  assert.deepEqual(await take((await openReader(second, writer.key)).batches(), 2), ['one\n', 'two\n'])
  assert.equal(second.peers, 1)
})

test('the length of a log is known while another node has its store, and the store is not taken from a reader that starts', async (t) => {
  const { home, writer, open, machine } = await createScene(t)
  const rendezvous = join(machine.directory, 'meet')
  const options = { home, key: writer.key, rendezvous }
  assert.equal(await knownLength(options), null)
  const first = await open()
  const batches = (await openReader(first, writer.key)).batches()
  await take(batches, 2)
  assert.equal(await knownLength(options), 2)
  await first.close()
  assert.equal(await knownLength(options), 2)
  const looking = Array.from({ length: 5 }, () => knownLength(options))
  assert.ok(!(await open()).isTemporary)
  assert.deepEqual(await deadline('all looks', Promise.all(looking)), [2, 2, 2, 2, 2])
})

test('a temporary store of a process that was killed is deleted at the next start; one that is in use stays', async (t) => {
  const { home, writer, open } = await createScene(t)
  await open()
  const holders = [1, 2].map(() =>
    spawn(process.execPath, [HOLDER, home, writer.key], { stdio: ['ignore', 'pipe', 'inherit'] })
  )
  for (const holder of holders) await deadline('a holder to open', once(holder.stdout, 'data'))
  assert.equal((await temporaryStores(home)).length, 2)
  holders[0]?.kill('SIGKILL')
  await deadline('the kill', once(holders[0] as (typeof holders)[0], 'exit'))
  const other = await open({ key: 'cd'.repeat(32) })
  assert.equal((await temporaryStores(home)).length, 1)
  await other.close()
  holders[1]?.kill('SIGKILL')
  await deadline('the kill', once(holders[1] as (typeof holders)[0], 'exit'))
})

test('of processes that start at once, one has the store, and all see one id', async (t) => {
  const { home, writer } = await createScene(t)
  const holders = Array.from({ length: 5 }, () =>
    spawn(process.execPath, [HOLDER, home, writer.key], { stdio: ['ignore', 'pipe', 'inherit'] })
  )
  atEnd(t, () => holders.map((holder) => holder.kill('SIGKILL')))
  const said = await deadline(
    'all to open',
    Promise.all(holders.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()))
  )
  assert.deepEqual(
    said.map((text) => `${text.split(' ')[0]}`).sort((a, b) => a.localeCompare(b)),
    ['own', 'temporary', 'temporary', 'temporary', 'temporary']
  )
  assert.equal(new Set(said.map((text) => text.split(' ')[1])).size, 5)
  const own = said.find((text) => text.startsWith('own'))
  assert.equal(own?.split(' ')[1], await readId(home, { isStore: false }))
})

test('a copy of a home has other ids, and the same cursors', async (t) => {
  const { home, writer, open, machine } = await createScene(t)
  const first = await open()
  await (await (await openReader(first, writer.key)).cursor()).commit(2)
  await first.close()
  const copy = join(machine.directory, 'copy')
  await cp(home, copy, { recursive: true })
  assert.notEqual(await readId(copy, { isStore: false }), first.id)
  assert.equal(await readId(home, { isStore: false }), first.id)
})

test('a directory with other files is refused, and so is the store of an earlier version', async (t) => {
  const { machine, open } = await createScene(t)
  const home = join(machine.directory, 'other')
  const stored = await machine.open('other')
  await stored.close()
  // a store that openNode has created is a home of its own
  const node = await open({ home })
  assert.equal(node.storage, home)
  await node.close()
  await rm(join(home, 'peer'))
  await assert.rejects(open({ home }), { code: 'STORE_REFUSED', message: /earlier version/ })
  const documents = join(machine.directory, 'documents')
  await cp(join(home, 'db'), documents, { recursive: true })
  await assert.rejects(open({ home: documents }), { code: 'STORE_REFUSED' })
  await writeFile(join(machine.directory, 'file'), '')
  await assert.rejects(open({ home: join(machine.directory, 'file') }), { code: 'STORE_REFUSED' })
})

test('a damaged store is renamed and rebuilt, and its cursors stay', async (t) => {
  const { home, writer, open } = await createScene(t)
  const first = await open()
  const reader = await openReader(first, writer.key)
  await take(reader.batches(), 2)
  await (await reader.cursor()).commit(2)
  const { id } = first
  await first.close()
  await writeFile(join(first.storage, 'db', 'CURRENT'), 'x')
  await assert.rejects(open(), { code: 'STORE_DAMAGED' })
  const rebuilt = await open({ rebuild: true })
  assert.equal(rebuilt.id, id)
  const again = await openReader(rebuilt, writer.key)
  assert.equal((await again.cursor()).position, 2)
  assert.deepEqual(await take(again.batches(), 2), ['one\n', 'two\n'])
  assert.ok((await readdir(join(home, 'logs'))).some((name) => name.includes('.damaged-')))
})
