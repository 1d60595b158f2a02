import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadline } from '@many-cores/testing'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { openReader, openWriter, type Status, type Writer } from '../index.ts'
import { internalsOf } from '../internals.ts'
import { collect, createMachine, type Machine, take } from '../testing/support.ts'

/** Lines, each a batch of its own: these are on the writer's disk … */
const KEPT = 10
/** … the reader has these, whole … */
const READ = 12
/** … and so many were published before the power failed. */
const PUBLISHED = 20

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${index % 2 === 0 ? '' : 'a long line '}${from + index}\n`)

/** What a reader had got of the last lines when the power failed: some of it, and not all. */
interface Shape {
  readonly name: string
  /** Takes part of it, of a writer that is connected. */
  readonly take: (open: Opened) => Promise<void>
  /** Positions that are used up; 0: there were no records. */
  readonly lost: number
  /** Whether signed blocks are gone that nothing can be put in place of. */
  readonly isSigned: boolean
}

interface Opened {
  readonly journal: () => Promise<Hypercore>
  readonly core: (index: number) => Promise<Hypercore>
}

const SHAPES: readonly Shape[] = [
  {
    name: 'records whose blocks nobody has',
    take: async ({ journal }) => await all(await journal(), JOURNAL),
    lost: PUBLISHED - READ,
    isSigned: false
  },
  {
    name: 'records, and signed lengths of cores without the blocks',
    take: async ({ journal, core }) => {
      await all(await journal(), JOURNAL)
      for (const index of [0, 1]) await head(await core(index), CORE)
    },
    lost: PUBLISHED - READ,
    isSigned: true
  },
  {
    name: 'records, and the blocks of one core alone',
    take: async ({ journal, core }) => {
      await all(await journal(), JOURNAL)
      await all(await core(1), CORE)
    },
    lost: PUBLISHED - READ,
    isSigned: false
  },
  {
    name: 'records, and some blocks behind a gap',
    take: async ({ journal, core }) => {
      await all(await journal(), JOURNAL)
      for (const index of [0, 1]) await get(await core(index), CORE - 1)
    },
    lost: PUBLISHED - READ,
    isSigned: true
  },
  {
    name: 'blocks whose records nobody has',
    take: async ({ core }) => {
      for (const index of [0, 1]) await all(await core(index), CORE)
    },
    lost: 0,
    isSigned: false
  },
  {
    name: 'a signed length of the journal without its records',
    take: async ({ journal }) => await head(await journal(), JOURNAL),
    lost: (PUBLISHED - READ) * 65_536,
    isSigned: true
  },
  {
    name: 'the last record alone, and all blocks',
    take: async ({ journal, core }) => {
      await get(await journal(), PUBLISHED)
      for (const index of [0, 1]) await all(await core(index), CORE)
    },
    lost: PUBLISHED - READ,
    isSigned: true
  }
]

type Publish = (writer: Writer, line: string, index: number) => Promise<unknown>

/** A reader's store that has READ lines, and of the others what `take` takes; and the writer's, cut off behind KEPT lines. */
async function losePower(
  machine: Machine,
  { take: takeSome }: Pick<Shape, 'take'>,
  publish: Publish = (writer, line) => writer.publish([line])
): Promise<string> {
  const writing = await machine.open('w')
  const writer = await openWriter(writing)
  for (const [index, line] of lines(0, KEPT).entries()) await publish(writer, line, index)
  const kept = await stat(await newestLog(writing.storage))
  for (const [index, line] of lines(KEPT, READ).entries()) await publish(writer, line, KEPT + index)
  const reading = await machine.open('r')
  const reader = await openReader(reading, writer.key)
  await deadline('the reader to have all', collect(reader.batches({ until: READ })))
  await reading.close()
  for (const [index, line] of lines(READ, PUBLISHED).entries()) await publish(writer, line, READ + index)
  await writing.close()
  await takeFrom(machine, writer, { take: takeSome })
  await truncate(await newestLog(writing.storage), kept.size)
  await rm(join(writing.storage, 'WRITER-CLOSED'))
  return writer.key
}

async function takeFrom(
  machine: Machine,
  { key, manifest }: Writer,
  { take: takeSome, into = 'r' }: { readonly take: Shape['take']; readonly into?: string }
): Promise<void> {
  // a copy: RocksDB leaves its log behind, and what is cut off it, when it is opened again
  const copy = await mkdtemp(join(machine.directory, 'copy-'))
  await cp(join(machine.directory, 'w'), copy, { recursive: true })
  const ours = new Corestore(copy, { allowBackup: true })
  const theirs = new Corestore(join(machine.directory, into))
  const [here, there] = [ours.replicate(true), theirs.replicate(false)]
  here.pipe(there).pipe(here)
  const open = async (core: string | undefined): Promise<Hypercore> => {
    assert.ok(core)
    const opened = theirs.get({ key: core })
    await opened.ready()
    return opened
  }
  const taken = takeSome({ journal: () => open(key), core: (index) => open(manifest.cores[index]?.key) })
  await deadline('the last that came', taken)
  await Promise.all([ours.close(), theirs.close()])
}

const JOURNAL = PUBLISHED + 1
const CORE = PUBLISHED / 2

async function head(core: Hypercore, length: number): Promise<void> {
  while (core.length < length) await core.update({ wait: true })
}

async function get(core: Hypercore, index: number): Promise<void> {
  await core.get(index)
}

async function all(core: Hypercore, length: number): Promise<void> {
  await head(core, length)
  await core.download({ start: 0, end: length }).done()
}

async function newestLog(storage: string): Promise<string> {
  const db = join(storage, 'db')
  const logs = (await readdir(db)).filter((name) => name.endsWith('.log')).sort()
  return join(db, logs.at(-1) ?? '')
}

for (const shape of SHAPES) {
  const { name, lost, isSigned } = shape
  test(`${name}: the writer refuses, and goes on without them where that is accepted`, async (t) => {
    const machine = await createMachine(t)
    const key = await losePower(machine, shape)
    const seen: Status[] = []
    const reading = await machine.open('r', { onStatus: (status) => seen.push(status) })
    const reader = await openReader(reading, key)
    const live = reader.batches()
    const before = await take(live, READ)
    assert.equal(before.join(''), lines(0, READ).join(''))
    const next = take(live, 2)

    const refused = await machine.open('w')
    await assert.rejects(openWriter(refused), { code: 'STORE_REFUSED', message: /--accept-loss/ })
    await refused.close()

    const said: Status[] = []
    const node = await machine.open('w', { onStatus: (status) => said.push(status) })
    const writer = await openWriter(node, { acceptLoss: true })
    assert.equal(writer.length, READ + lost)
    const losses = (all: Status[]): Status[] => all.filter(({ state }) => state === 'lost')
    assert.deepEqual(losses(said), [{ state: 'lost', position: READ, lines: lost }])
    await writer.publish(['after\n'])
    await writer.publish(['and after, long\n'])
    assert.deepEqual(await next, ['after\n', 'and after, long\n'])
    assert.deepEqual(losses(seen), lost === 0 ? [] : losses(said))
    await live.return()

    const rest = [...lines(0, READ), 'after\n', 'and after, long\n'].join('')
    for (const who of ['r', 'new']) {
      const other = who === 'r' ? reader : await openReader(await machine.open(who), key)
      const got = await deadline(who, collect(other.batches({ live: false, timeout: 5000 })))
      assert.equal(got.toString(), rest)
      assert.equal((await other.verify({ timeout: 5000 })).lines, READ + 2)
      for (const [from, expected] of [
        [READ + lost, 'after\n'],
        [READ + lost + 1, 'and after, long\n'],
        [READ - 1, lines(0, READ).at(-1)]
      ] as const)
        assert.equal(Buffer.from((await other.at(from, { timeout: 5000 }))?.line ?? []).toString(), expected)
      if (lost > 0) assert.equal(await other.at(READ, { timeout: 5000 }), null)
    }
    const held = deadline('both to hold everything', writer.acknowledged(2))
    if (isSigned) await assert.rejects(held, { code: 'GONE' })
    else assert.equal((await held).length, 2)
    await node.close()

    for (const isClean of [true, false]) {
      if (!isClean) await rm(join(node.storage, 'WRITER-CLOSED'))
      const restarted = await machine.open('w')
      const again = await openWriter(restarted)
      assert.equal(again.length, READ + lost + (isClean ? 2 : 3))
      await again.publish(['again\n'])
      await restarted.close()
    }
  })
}

const RECORDS_ALONE = SHAPES[0] as Shape
const SIGNED = SHAPES[1] as Shape
const ONE_CORE = SHAPES[2] as Shape

test('a source that goes on at its checkpoint publishes again what was given up, and nothing twice', async (t) => {
  const machine = await createMachine(t)
  const name = 'source'
  const publishAs: Publish = (writer, line, index) =>
    writer.publishBytes(bytes([line]), { checkpoint: { name, at: () => `${index + 1}` } })
  const key = await losePower(machine, RECORDS_ALONE, publishAs)
  const reader = await openReader(await machine.open('r'), key)
  const live = reader.batches()
  await take(live, READ)
  const next = take(live, PUBLISHED - READ + 1)
  const writer = await openWriter(await machine.open('w'), { acceptLoss: true })
  const start = Number(Buffer.from((await writer.checkpoint(name)) ?? []).toString())
  assert.equal(start, KEPT)
  const rest = [...lines(start, PUBLISHED), 'and more\n']
  const at = ({ lines: count }: { lines: number }): string => `${start + count}`
  await writer.publishBytes(bytes(rest), { checkpoint: { name, at } })
  assert.deepEqual(await next, [...lines(READ, PUBLISHED), 'and more\n'])
  assert.equal(writer.length, PUBLISHED + (PUBLISHED - READ) + 1)
  await live.return()
})

test('where nothing of an atom is written, a loss is as it was, and can be accepted again', async (t) => {
  const machine = await createMachine(t)
  const key = await losePower(machine, RECORDS_ALONE)
  const reader = await openReader(await machine.open('r'), key)
  const broken = await machine.open('w')
  const { storage } = internalsOf(broken).store
  const createAtom = storage.createAtom.bind(storage)
  storage.createAtom = () => {
    const atom = createAtom()
    atom.flush = () => Promise.reject(new Error('no power'))
    return atom
  }
  await assert.rejects(openWriter(broken, { acceptLoss: true }), { message: 'no power' })
  await broken.close()
  const refused = await machine.open('w')
  await assert.rejects(openWriter(refused), {
    code: 'STORE_REFUSED',
    message: /ends with 7 blocks in core 0, which has 6/
  })
  await refused.close()
  const writer = await openWriter(await machine.open('w'), { acceptLoss: true })
  await writer.publish(['after\n'])
  const got = await deadline('the reader', collect(reader.batches({ until: writer.length })))
  assert.equal(got.toString(), `${lines(0, READ).join('')}after\n`)
})

test('a reader of one core alone has its lines of a batch that is given up later, and goes on', async (t) => {
  const machine = await createMachine(t)
  const key = await losePower(machine, ONE_CORE)
  const reader = await openReader(await machine.open('r'), key)
  const live = reader.batches({ cores: ['long'] })
  const long = lines(0, PUBLISHED).filter((line) => line.length >= 5)
  assert.deepEqual(await take(live, long.length), long)
  const next = take(live, 1)
  const writer = await openWriter(await machine.open('w'), { acceptLoss: true })
  await writer.publish(['abc\n', 'long enough\n'])
  assert.deepEqual(await next, ['long enough\n'])
  await live.return()
  const later = await collect(reader.batches({ cores: ['long'], live: false }))
  assert.equal(later.toString(), `${long.slice(0, READ / 2).join('')}long enough\n`)
})

test('a reader that has the records, and hears of the loss last, takes nothing for the lines that were given up', async (t) => {
  const machine = await createMachine(t)
  const key = await losePower(machine, RECORDS_ALONE)
  const holder = await machine.open('r')
  await openReader(holder, key)
  const node = await machine.open('w')
  const writer = await openWriter(node, { acceptLoss: true })
  await writer.publish(['new\n', 'a new line\n'])
  await holder.close()
  await node.close()
  await takeFrom(machine, writer, {
    take: async ({ core }) => {
      for (const index of [0, 1]) await all(await core(index), CORE + 1)
    }
  })
  const reader = await openReader(await machine.open('r'), key)
  const got: string[] = []
  const stored = async (): Promise<void> => {
    for await (const { line } of reader.range(0, PUBLISHED, { timeout: 500 }))
      got.push(Buffer.from(line).toString())
  }
  await assert.rejects(stored(), { code: 'GONE' })
  assert.deepEqual(got, lines(0, READ))
})

test('a reader that had heard of less of what came back than another one goes on, too', async (t) => {
  const machine = await createMachine(t)
  const heads: Shape['take'] = async ({ journal, core }) => {
    for (const index of [0, 1]) {
      await head(await core(index), CORE - 3)
      await (await core(index)).download({ start: 0, end: READ / 2 }).done()
    }
    await all(await journal(), READ + 1)
  }
  const between = READ + 4
  const key = await losePower(machine, SIGNED, async (writer, line, index) => {
    if (index === between) await takeFrom(machine, writer, { take: heads, into: 'between' })
    return writer.publish([line])
  })
  const readers = await Promise.all(
    ['r', 'between'].map(async (name) => openReader(await machine.open(name), key))
  )
  const lives = readers.map((reader) => reader.batches())
  await Promise.all(lives.map((live) => take(live, READ)))
  const next = lives.map((live) => take(live, 2))
  const writer = await openWriter(await machine.open('w'), { acceptLoss: true })
  await writer.publish(['after\n'])
  await writer.publish(['aft\n'])
  for (const lines of next) assert.deepEqual(await lines, ['after\n', 'aft\n'])
  await Promise.all(lives.map((live) => live.return()))
})

async function* bytes(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}
