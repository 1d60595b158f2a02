import assert from 'node:assert/strict'
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { atEnd, DEADLINE_MS, deadline, until } from '@many-cores/testing'
import b4a from 'b4a'
import Corestore from 'corestore'
import createTestnet from 'hyperdht/testnet.js'
import Hyperswarm from 'hyperswarm'
import { openReader, openWriter, type Status, type Writer } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { collect, createMachine, type Machine, take } from '../testing/support.ts'

const MARK = 'WRITER-CLOSED'

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${index % 2 === 0 ? '' : 'a long line '}${from + index}\n`)

/** Copies a closed store. Returns a function that restores the copy, as a backup or a snapshot of the machine does. */
async function keep(storage: string): Promise<(to?: string) => Promise<void>> {
  const kept = `${storage}.kept`
  // the lock file stays: it belongs to the directory
  const isMoved = (path: string): boolean => !path.endsWith('CORESTORE')
  await cp(storage, kept, { recursive: true, filter: isMoved })
  return async (to = storage) => {
    for (const name of (await readdir(to)).filter(isMoved)) await rm(join(to, name), { recursive: true })
    await cp(kept, to, { recursive: true })
  }
}

interface SetBackOptions {
  readonly isClean?: boolean
  /** The readers' stores, and the cores that each of them follows. */
  readonly copies?: Readonly<Record<string, readonly string[]>>
}

/** Creates a writer's store with 20 lines that is set back to ten, and readers' stores that have all of them. All are closed. */
async function setBack(
  machine: Machine,
  { isClean = true, copies = { r: ['short', 'long'] } }: SetBackOptions = {}
): Promise<{ readonly key: string; readonly storage: string }> {
  const first = await machine.open('w')
  const writer = await openWriter(first)
  for (const line of lines(0, 10)) await writer.publish([line])
  await first.close()
  const restore = await keep(first.storage)
  const second = await machine.open('w')
  const again = await openWriter(second)
  for (const line of lines(10, 20)) await again.publish([line])
  for (const [name, cores] of Object.entries(copies)) {
    const node = await machine.open(name)
    const reader = await openReader(node, writer.key)
    await deadline('the reader to have all', collect(reader.batches({ cores, until: 20 })))
    await node.close()
  }
  await second.close()
  await restore()
  if (!isClean) await rm(join(first.storage, MARK))
  return { key: writer.key, storage: first.storage }
}

/** Checks that a new reader gets these lines. */
async function assertLog(machine: Machine, key: string, expected: readonly string[]): Promise<void> {
  const reader = await openReader(await machine.open('new'), key)
  const all = await deadline('all lines', collect(reader.batches({ until: expected.length })))
  assert.equal(all.toString(), expected.join(''))
  assert.equal((await reader.verify({ timeout: 5000 })).lines, expected.length)
}

for (const isClean of [true, false]) {
  test(`a writer whose store was set back to ${isClean ? 'a clean' : 'an unclean'} shutdown recovers the newer lines from a reader before it appends`, async (t) => {
    const machine = await createMachine(t)
    const { key } = await setBack(machine, { isClean })
    const reader = await openReader(await machine.open('r'), key)
    const seen: Status[] = []
    const node = await machine.open('w', { onStatus: (status) => seen.push(status) })
    const writer = await openWriter(node)
    assert.equal(writer.key, key)
    assert.deepEqual(await writer.publish(['after\n']), { position: 20, count: 1 })
    assert.equal(writer.length, 21)
    const recovered = seen.filter(({ state }) => state === 'recovered')
    assert.deepEqual(recovered, [{ state: 'recovered', lines: 10 }])
    const all = await deadline('the reader', collect(reader.batches({ until: 21 })))
    assert.equal(all.toString(), `${lines(0, 20).join('')}after\n`)
    await assertLog(machine, key, [...lines(0, 20), 'after\n'])
  })
}

test('newer lines are recovered from a reader that connects any time before the first append', async (t) => {
  const machine = await createMachine(t)
  const { key } = await setBack(machine)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  // the search for peers is over
  await writer.acknowledged(0)
  assert.equal(writer.length, 10)
  await openReader(await machine.open('r'), key)
  const journal = internalsOf(node).store.get({ name: 'core-1' })
  await journal.ready()
  await until('the reader to announce its length', () =>
    journal.peers.some((peer) => peer.remoteLength === 21)
  )
  assert.deepEqual(await writer.publish(['after\n']), { position: 20, count: 1 })
})

test('a writer that was set back and a reader that has more stop as soon as they connect, and keep the proof of the fork', async (t) => {
  const machine = await createMachine(t)
  const { key, storage } = await setBack(machine)
  const writer = await openWriter(await machine.open('w'))
  // shorter than the reader's log: replication alone would not notice before the writer is longer
  await writer.publish(['another 11th line\n'])
  const serving = writer.serve(new AbortController().signal)
  const copy = await machine.open('r')
  const reader = await openReader(copy, key)
  const following = collect(reader.batches({ from: 20 }))
  await deadline('the reader to stop', assert.rejects(following, { code: 'REWRITTEN' }))
  await deadline('the writer to stop', assert.rejects(serving, { code: 'REWRITTEN' }))
  await assert.rejects(writer.publish(['no\n']), { code: 'REWRITTEN' })
  for (const directory of [storage, copy.storage]) {
    const text = await readFile(join(directory, 'REWRITTEN'), 'utf8')
    const { ours, theirs, ...finding } = JSON.parse(text) as {
      key: string
      length: number
      ours: Head
      theirs: Head
    }
    assert.deepEqual(finding, { key, length: 12 })
    for (const { nodes, signature } of [ours, theirs]) {
      assert.ok(nodes.length > 0)
      assert.match(signature, /^[0-9a-f]{128,}$/)
    }
  }
})

interface Head {
  readonly nodes: readonly unknown[]
  readonly signature: string
}

for (const [what, alias] of [
  ['the journal', 'core-1'],
  ['a data core', 'core-3']
] as const) {
  test(`a writer stops if a plain Hypercore has another, longer history of ${what}`, async (t) => {
    const machine = await createMachine(t)
    const first = await machine.open('w')
    const before = await openWriter(first)
    for (const line of lines(0, 4)) await before.publish([line])
    await first.close()
    const copy = join(machine.directory, 'copy')
    await cp(first.storage, copy, { recursive: true })
    const other = new Corestore(copy, { allowBackup: true })
    atEnd(t, () => other.close())
    const forked = other.get({ name: alias })
    await forked.append(['another', 'history', 'altogether'].map((block) => b4a.from(`${block}\n`)))

    const dht = await createTestnet(3, { host: '127.0.0.1' })
    atEnd(t, () => dht.destroy())
    const bootstrap = [`127.0.0.1:${dht.bootstrap[0]?.port}`]
    const writer = await openWriter(await machine.open('w', { local: false, lan: false, bootstrap }))
    await writer.publish(['one more, which the copy does not have\n'])
    const stopped = assert.rejects(writer.serve(new AbortController().signal), { code: 'REWRITTEN' })
    const swarm = new Hyperswarm({ dht: dht.createNode({ host: '127.0.0.1', firewalled: false }) })
    atEnd(t, () => swarm.destroy())
    swarm.on('connection', (stream) => void other.replicate(stream))
    const bootstrapCore = other.get({ key: b4a.from(writer.key, 'hex') })
    await bootstrapCore.ready()
    swarm.join(bootstrapCore.discoveryKey as Uint8Array)
    await deadline('the writer to stop', stopped)
  })
}

for (const [what, lineOfOther] of [
  ['the journal', 'a longer line\n'],
  ['a data core alone', 'line 2\n']
] as const) {
  test(`two readers of writers that share a key stop when ${what} forks while they are connected`, async (t) => {
    const machine = await createMachine(t)
    const first = await machine.open('w')
    const { key } = await openWriter(first)
    await first.close()
    const other = await machine.open('x')
    await other.close()
    await (await keep(first.storage))(other.storage)
    // each reader finds one of the writers by local discovery, and the other reader by a DHT
    const dht = await createTestnet(3, { host: '127.0.0.1' })
    atEnd(t, () => dht.destroy())
    const bootstrap = [`127.0.0.1:${dht.bootstrap[0]?.port}`]
    const stops: Promise<unknown>[] = []
    const writers: Writer[] = []
    for (const [name, copy] of [
      ['w', 'r'],
      ['x', 's']
    ] as const) {
      const rendezvous = join(machine.directory, `meet-${name}`)
      // if the disk were slow for one writer only, the other one's line could be the first for both readers
      writers.push(await openWriter(await machine.open(name, { rendezvous, fsync: false })))
      const node = await machine.open(copy, { rendezvous, local: false, bootstrap })
      const reader = await openReader(node, key)
      stops.push(assert.rejects(collect(reader.batches()), { code: 'REWRITTEN' }))
      // the second reader searches once: by then the first one must be announced
      const { store, waitForSearch } = internalsOf(node)
      const journal = store.get({ key })
      await journal.ready()
      await waitForSearch(journal, DEADLINE_MS)
      if (copy === 's') await until('the readers to connect', () => node.peers === 2)
    }
    // neither writer waits for peers any more: it could recover the other's line first, and append after it
    await Promise.all(writers.map((writer) => writer.acknowledged(0)))
    // with the same time in ms, and lines of the same length, the journals are the same
    const { now } = Date
    const time = now()
    Date.now = () => time
    atEnd(t, () => {
      Date.now = now
    })
    await Promise.all([writers[0]?.publish(['line 1\n']), writers[1]?.publish([lineOfOther])])
    Date.now = now
    await deadline('the readers to stop', Promise.all(stops))
  })
}

test('a fork is remembered, also after a line that was cut off', async (t) => {
  const machine = await createMachine(t)
  const writer = await openWriter(await machine.open('w'))
  await writer.publish(['a line\n'])
  const copy = await machine.open('r')
  const { key } = writer
  await take((await openReader(copy, key)).batches(), 1)
  await copy.close()
  await writeFile(
    join(copy.storage, 'REWRITTEN'),
    `{"key":"${'a'.repeat(20)}\n\n${JSON.stringify({ key, length: 1 })}\n{"ke`
  )
  const reader = await openReader(await machine.open('r'), key)
  await assert.rejects(collect(reader.batches()), { code: 'REWRITTEN' })
})

test('a writer that knows of lost lines, and finds no peer that has them, refuses to append', async (t) => {
  const machine = await createMachine(t)
  const { storage } = await setBack(machine)
  await writeFile(join(storage, MARK), (await readFile(join(storage, MARK), 'utf8')).replace(':11}', ':21}'))
  for (const _ of ['first', 'and again']) {
    const node = await machine.open('w')
    const writer = await openWriter(node)
    await assert.rejects(writer.publish(['no\n']), {
      code: 'STORE_REFUSED',
      message: /journal had 21 blocks at the last shutdown, and now has 11/
    })
    await node.close()
  }
})

test('only a writer after an unclean shutdown reports that it checks peers, and it does not wait if local discovery finds none', async (t) => {
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
    assert.equal(writer.length, length)
    await writer.publish(['a line\n'])
    assert.ok(performance.now() - began < 1000, 'it waited')
    await assert.rejects(stat(join(node.storage, MARK)), { code: 'ENOENT' }, 'the mark is still there')
    await node.close()
    if (!marked) continue
    await stat(join(node.storage, MARK))
    if (length === 1) await rm(join(node.storage, MARK))
  }
  assert.deepEqual(asked, ['comparing'])
})

test('a writer that closes without an append shuts down cleanly', async (t) => {
  const machine = await createMachine(t)
  for (const _ of [1, 2]) {
    const node = await machine.open('w')
    const writer = await openWriter(node)
    await writer.acknowledged(0)
    await node.close()
    await stat(join(node.storage, MARK))
  }
})

test('a writer that is killed during recovery does not append to a part of the lost lines', async (t) => {
  const machine = await createMachine(t)
  const { key, storage } = await setBack(machine, { isClean: false })
  // only the journal, as if it was killed before the blocks arrived
  const store = new Corestore(storage)
  const copy = new Corestore(join(machine.directory, 'r'))
  const [ours, theirs] = [store.get({ name: 'core-1' }), copy.get({ key })]
  await Promise.all([ours.ready(), theirs.ready()])
  const [here, there] = [store.replicate(true), copy.replicate(false)]
  here.pipe(there).pipe(here)
  await deadline('the journal', ours.update({ force: true, wait: true }))
  await ours.download({ start: 0, end: 21 }).done()
  await Promise.all([store.close(), copy.close()])

  const alone = await machine.open('w')
  await assert.rejects((await openWriter(alone)).publish(['no\n']), {
    code: 'STORE_REFUSED',
    message: /block \d+ of core \w+ is missing.*while a reader that has every line is connected/
  })
  await alone.close()
  await openReader(await machine.open('r'), key)
  const writer = await openWriter(await machine.open('w'))
  assert.deepEqual(await writer.publish(['after\n']), { position: 20, count: 1 })
  await assertLog(machine, key, [...lines(0, 20), 'after\n'])
})

/** A writer with four lines whose store was set back, and a reader that has a later block but not its record; all closed. */
async function setBackUnnamed(machine: Machine): Promise<string> {
  const first = await machine.open('w')
  const before = await openWriter(first)
  const { key } = before
  for (const line of lines(0, 4)) await before.publish([line])
  await first.close()
  const restore = await keep(first.storage)
  const copying = await machine.open('r')
  const second = await machine.open('w')
  const again = await openWriter(second)
  await deadline('the copy', collect((await openReader(copying, key)).batches({ until: 4 })))
  await copying.close()
  await again.publish(lines(4, 6))
  await second.close()
  // as if the connection ended before the record arrived
  const store = new Corestore(first.storage)
  const copy = new Corestore(copying.storage)
  const ours = store.get({ name: 'core-3' })
  await ours.ready()
  const theirs = copy.get({ key: ours.key as Uint8Array })
  const [here, there] = [store.replicate(true), copy.replicate(false)]
  here.pipe(there).pipe(here)
  await deadline('the block', theirs.get(2))
  await Promise.all([store.close(), copy.close()])
  await restore()
  return key
}

test('a writer that was set back does not append if a peer has a block that no record names', async (t) => {
  const machine = await createMachine(t)
  const key = await setBackUnnamed(machine)
  const reader = await openReader(await machine.open('r'), key)
  const reading = collect(reader.batches())
  const node = await machine.open('w')
  const writer = await openWriter(node)
  const cores = internalsOf(node).store.cores
  await until('the length of the reader', () =>
    [...cores].some(
      ({ opened, replicator }) => opened && replicator.peers.some((peer) => peer.remoteLength === 3)
    )
  )
  await assert.rejects(writer.publish(['another long line\n']), {
    code: 'STORE_REFUSED',
    message: /2 blocks of core long, which has 3/
  })
  await reader.close()
  assert.equal((await reading).toString(), lines(0, 4).join(''))
})

test('a writer does not append after a block that a reader of its own node has fetched', async (t) => {
  const machine = await createMachine(t)
  const key = await setBackUnnamed(machine)
  const node = await machine.open('w')
  const writer = await openWriter(node)
  for (const line of ['a\n', 'b\n']) await writer.publish([line])
  const own = await openReader(node, key)
  const following = own.batches()
  await take(following, 6)
  const next = following.next()
  const reader = await openReader(await machine.open('r'), key)
  const reading = collect(reader.batches({ until: 6 }))
  const cores = internalsOf(node).store.cores
  await until('the block', () =>
    [...cores].some(({ opened, header, state }) => opened && header.keyPair !== null && state.length === 3)
  )
  await assert.rejects(writer.publish(['another long line\n']), { code: 'STORE_REFUSED' })
  assert.equal((await deadline('the reader', reading)).toString(), `${lines(0, 4).join('')}a\nb\n`)
  await own.close()
  assert.equal((await next).done, true)
})

test('a block that one reader lacks is recovered from another, and a block that all of them lack is named', async (t) => {
  const machine = await createMachine(t)
  const { key } = await setBack(machine, { copies: { r: ['short'], s: ['long'] } })
  await openReader(await machine.open('r'), key)
  const alone = await machine.open('w')
  await assert.rejects((await openWriter(alone)).publish(['no\n']), {
    code: 'STORE_REFUSED',
    message: /block 5 of core long is missing, and no connected peer has sent it/
  })
  await alone.close()
  // the stored lines can still be read and served
  const own = await machine.open('w')
  const reader = await openReader(own, key)
  const first = await deadline('the ten lines', collect(reader.batches({ until: 10 })))
  assert.equal(first.toString(), lines(0, 10).join(''))
  await own.close()
  await openReader(await machine.open('s'), key)
  const writer = await openWriter(await machine.open('w'))
  assert.deepEqual(await writer.publish(['after\n']), { position: 20, count: 1 })
  await assertLog(machine, key, [...lines(0, 20), 'after\n'])
})
